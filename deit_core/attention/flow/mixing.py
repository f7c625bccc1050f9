"""One layer of a rollout: choose and fuse layers, drop weak links, mix what is left with the residual stream.

Knows nothing of queries, nor of how layers are chained.

Shapes: L layers, S of them chosen, B batch, N tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from deit_core.attention.flow.discard import discard_flat, discard_links, thresholds
from deit_core.attention.flow.fusion import Attention, HeadFusion, fuse_heads
from deit_core.errors import DeitError


def fuse_layers(
    attention: Attention,
    num_prefix_tokens: int,
    grid_size: tuple[int, int],
    head_fusion: HeadFusion,
    layers: Sequence[int] | None,
) -> tuple[int, list[int], Tensor]:
    """Depth L, the chosen layers in ascending order, and their fused attention (S, B, N, N)."""
    depth = len(attention)
    chosen = choose_layers(layers, depth)
    fused = fuse_heads(attention if layers is None else [attention[layer] for layer in chosen], head_fusion)
    (rows, columns), tokens = grid_size, fused.shape[-1]
    expected = num_prefix_tokens + rows * columns
    if min(rows, columns) < 1 or num_prefix_tokens < 0 or tokens != expected:
        raise DeitError(
            f"{num_prefix_tokens} prefix tokens and {rows} x {columns} patches make {expected} tokens, but the "
            f"attention has {tokens}; take num_prefix_tokens and grid_size from the model."
        )
    return depth, chosen, fused


def choose_layers(layers: Sequence[int] | None, depth: int) -> list[int]:
    """The layers to follow, ascending."""
    chosen = list(range(depth)) if layers is None else sorted(layers)
    if layers is not None and (not chosen or len(set(chosen)) < len(chosen) or chosen[0] < 0 or chosen[-1] >= depth):
        raise DeitError(f"layers must name some of the {depth} layers 0 to {depth - 1}, each once, not {list(layers)}.")
    return chosen


def drop_weakest(fused: Tensor, num_prefix_tokens: int, ratio: float, scope: str, compat: bool) -> Tensor:
    """The links (S, B, N, N) that a discard ratio leaves."""
    if ratio == 0:
        return fused
    if compat:
        return discard_flat(fused, ratio)
    cut = thresholds(fused, num_prefix_tokens=num_prefix_tokens, ratios=[ratio], scope=scope)[0]
    return discard_links(fused, cut, num_prefix_tokens=num_prefix_tokens)


def mix(links: Tensor, residual: float, row_norm: str) -> tuple[Tensor, Tensor]:
    """What a token keeps through the residual stream, and the factor on its links: a = diag(stay) + diag(move) F.

    (S, B, N, N) -> two of (S, B, N). Row-normalised like this, a is never built.
    """
    sums = links.sum(-1)
    if row_norm == "mixed":
        total = residual + (1 - residual) * sums
        stay = residual / total
    else:
        total = sums
        stay = torch.full_like(total, residual)
    move = (1 - residual) / total
    empty = total < torch.finfo(total.dtype).tiny  # below it the division overflows
    return stay.masked_fill(empty, 1), move.masked_fill(empty, 0)
