"""Attention made ready for a slider: heads fused and links ranked once, so that each further map is nearly free.

Gives the numbers of `rollout`, as plain arrays. Knows nothing of models or pages.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.attention.flow.audit import Audit, audit
from deit_core.attention.flow.discard import RATIOS, check_ratio, discard_links, thresholds
from deit_core.attention.flow.fusion import HeadFusion, fuse_heads
from deit_core.attention.flow.mixing import choose_layers, drop_weakest
from deit_core.attention.flow.query import Query
from deit_core.attention.flow.rollout import check_mixing, follow


@dataclass(frozen=True, eq=False)
class PatchMap:
    """One image's rollout without tensors: `Rollout.map` (gh, gw), `.prefix_mass`, `.degenerate`, `.trace` (L, N)."""

    values: NDArray[np.float32]
    prefix_mass: tuple[float, ...]
    degenerate: bool
    trace: NDArray[np.float32]


class PreparedRollout:
    """The first image of a batch, with one way of fusing heads and one of ranking links.

    Safe to share between threads. Memory: L * N * N floats.

    Args:
        attention, num_prefix_tokens, grid_size, head_fusion, scope: as in `rollout`; what else it takes may change from
            map to map.
    Raises: ValueError, as `rollout`.
    """

    def __init__(
        self,
        attention: Tensor,
        *,
        num_prefix_tokens: int,
        grid_size: tuple[int, int],
        head_fusion: HeadFusion = "mean",
        scope: str = "matrix",
    ) -> None:
        self.num_prefix_tokens, self.grid_size, self.scope = num_prefix_tokens, grid_size, scope
        self._fused = fuse_heads(attention[:, :1], head_fusion)
        self._cuts = thresholds(self._fused, num_prefix_tokens=self.num_prefix_tokens, scope=scope)

    @torch.no_grad()
    def map(
        self,
        *,
        discard_ratio: float = 0.0,
        layers: Sequence[int] | None = None,
        query: Query = "head",
        residual: float = 0.5,
        row_norm: str = "mixed",
        compat: bool = False,
    ) -> PatchMap:
        """What `rollout` finds for this image. The positions of a slider (whole percents) need no ranking any more.

        Raises: ValueError, as `rollout`.
        """
        check_ratio(discard_ratio)
        check_mixing(residual, row_norm, self.scope, compat)
        depth = len(self._fused)
        chosen = choose_layers(layers, depth)
        every = len(chosen) == depth  # then nothing has to be copied
        links = self._fused if every else self._fused[chosen]
        position = round(100 * discard_ratio)
        is_ranked = position < len(RATIOS) and math.isclose(discard_ratio, RATIOS[position], abs_tol=1e-9)
        if is_ranked and not compat:
            cut = self._cuts[position] if every else self._cuts[position][chosen]
            links = discard_links(links, cut, num_prefix_tokens=self.num_prefix_tokens)
        else:
            links = drop_weakest(links, self.num_prefix_tokens, discard_ratio, self.scope, compat)
        found = follow(links, chosen, depth, self.num_prefix_tokens, self.grid_size, query, residual, row_norm, compat)
        return PatchMap(
            values=found.map[0].numpy(),
            prefix_mass=tuple(found.prefix_mass[0].tolist()),
            degenerate=bool(found.degenerate[0]),
            trace=found.trace[:, 0].numpy(),
        )

    def audit(self, **options: Any) -> Audit:
        """What the discard leaves of each layer, for this image. Takes what `map` takes, but for `compat`.

        Raises: ValueError, as `rollout`.
        """
        return audit(
            self._fused,
            num_prefix_tokens=self.num_prefix_tokens,
            grid_size=self.grid_size,
            scope=self.scope,
            **options,
        )
