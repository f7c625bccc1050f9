"""Say how honest a discard is: the links that survive it, what the residual stream carries, whose row is wiped.

A high discard ratio gives crisp maps. It may do so by cutting all patches off a token, or by leaving a layer little
to pass on but the residual stream; then the picture no longer tells of attention. Knows nothing of maps or of models.

Shapes: L layers, S of them chosen, B batch, H heads, N tokens = P prefix + gh * gw patches.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deit_core.attention.flow.discard import discard_links, thresholds
from deit_core.attention.flow.fusion import Attention
from deit_core.attention.flow.mixing import fuse_layers, mix
from deit_core.attention.flow.options import RolloutOptions
from deit_core.attention.flow.query import query_weights
from deit_core.attention.flow.rollout import rollout
from deit_core.errors import DeitError


@dataclass(frozen=True, eq=False)
class Audit:
    """What a discard does to each chosen layer, for each image of a batch. Layers ascend.

    layers: the S chosen indices.
    kept: (S, B) share of the layer's patch links that survive. At least 1 - discard_ratio: ties with the weakest
        survivor stay. Prefix columns do not compete and do not count.
    residual_share: (S, B) part of the traced information that passes the layer through its residual connection. It is
        `residual` as long as rows sum to 1, and with row_norm="attention" unless a row is empty; otherwise it drifts:
        up after a discard or min, down after max. For signed query weights, magnitudes are counted; 0 where nothing
        is traced any more.
    wiped: (S, B) bool, True where the discard took all links to patches from a queried token, from one at least where
        several are queried (weight 0 is not queried). A row without such links from the start has lost nothing.
    """

    layers: tuple[int, ...]
    kept: Tensor
    residual_share: Tensor
    wiped: Tensor


@torch.no_grad()
def audit(
    attention: Attention,
    *,
    num_prefix_tokens: int,
    grid_size: tuple[int, int],
    **options: Any,
) -> Audit:
    """Find what the discard of a rollout leaves of each layer.

    Args: as in `rollout`, which has the map to go with it; no compat.
    Returns: an `Audit`, in float32 (float64 for float64 input) on the device of `attention`.
    Raises: ValueError, as `rollout`.
    """
    given = RolloutOptions(**options)
    if given.compat:
        raise DeitError("compat has no audit: vit-explain divides columns, so its shares do not sum to 1.")
    _, chosen, fused = fuse_layers(attention, num_prefix_tokens, grid_size, given.head_fusion, given.layers)
    start = query_weights(given.query, num_prefix_tokens=num_prefix_tokens, like=fused[0, :, 0])
    cut = thresholds(fused, num_prefix_tokens=num_prefix_tokens, ratios=[given.discard_ratio], scope=given.scope)[0]
    links = discard_links(fused, cut, num_prefix_tokens=num_prefix_tokens)
    result = rollout(
        links,
        num_prefix_tokens=num_prefix_tokens,
        grid_size=grid_size,
        query=given.query,
        residual=given.residual,
        row_norm=given.row_norm,
    )
    # The trace descends; each layer is entered by what left the one above it.
    entering = torch.cat([start.unsqueeze(0), result.trace[:-1]]).flip(0).abs()  # (S, B, N)
    stay, _ = mix(links, given.residual, given.row_norm)
    traced = entering.sum(-1)

    before, after = fused[..., num_prefix_tokens:], links[..., num_prefix_tokens:]  # (S, B, N, gh * gw)
    lost = (before > 0).any(-1) & ~(after > 0).any(-1)
    return Audit(
        layers=tuple(chosen),
        kept=(before >= cut).to(fused.dtype).mean(dim=(-2, -1)),
        residual_share=torch.where(traced > 0, (entering * stay).sum(-1) / traced, 0),
        wiped=(lost & (start != 0)).any(-1),
    )
