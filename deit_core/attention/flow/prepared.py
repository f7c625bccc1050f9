"""Attention made ready for a slider: heads fused and links ranked once, so that each further map is nearly free.

Gives the numbers of `rollout`, as plain arrays. Knows nothing of models or pages.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.attention.flow.audit import Audit, audit
from deit_core.attention.flow.discard import RATIOS, discard_links, thresholds
from deit_core.attention.flow.fusion import HeadFusion, fuse_heads
from deit_core.attention.flow.mixing import choose_layers, drop_weakest
from deit_core.attention.flow.options import RolloutOptions
from deit_core.attention.flow.rollout import follow


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
        skip_connections: whether the model has them; without, the residual is 0, even if another is asked for.
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
        skip_connections: bool = True,
    ) -> None:
        self.num_prefix_tokens, self.grid_size, self.scope = num_prefix_tokens, grid_size, scope
        self._fixed = {} if skip_connections else {"residual": 0.0}
        self._fused = fuse_heads(attention[:, :1], head_fusion)
        self._cuts = thresholds(self._fused, num_prefix_tokens=self.num_prefix_tokens, scope=scope)

    @property
    def num_bytes(self) -> int:
        return self._fused.nbytes + self._cuts.nbytes

    @torch.no_grad()
    def map(self, **options: Any) -> PatchMap:
        """What `rollout` finds for this image. The positions of a slider (whole percents) need no ranking any more.

        Args: options: as in `rollout`, but for `head_fusion` and `scope`, which are prepared.
        Raises: ValueError, as `rollout`.
        """
        given = RolloutOptions(scope=self.scope, **(options | self._fixed))
        depth = len(self._fused)
        chosen = choose_layers(given.layers, depth)
        every = len(chosen) == depth  # then nothing has to be copied
        links = self._fused if every else self._fused[chosen]
        position = round(100 * given.discard_ratio)
        is_ranked = position < len(RATIOS) and math.isclose(given.discard_ratio, RATIOS[position], abs_tol=1e-9)
        if is_ranked and not given.compat:
            cut = self._cuts[position] if every else self._cuts[position][chosen]
            links = discard_links(links, cut, num_prefix_tokens=self.num_prefix_tokens)
        else:
            links = drop_weakest(links, self.num_prefix_tokens, given.discard_ratio, self.scope, given.compat)
        result = follow(links, chosen, depth, self.num_prefix_tokens, self.grid_size, given)
        return PatchMap(
            values=result.map[0].cpu().numpy(),
            prefix_mass=tuple(result.prefix_mass[0].tolist()),
            degenerate=bool(result.degenerate[0]),
            trace=result.trace[:, 0].cpu().numpy(),
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
            **(options | self._fixed),
        )
