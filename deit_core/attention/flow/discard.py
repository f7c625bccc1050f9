"""Drop the weakest links of fused attention: thresholds for any number of ratios, and the cut itself.

Only links to patches compete: the columns of prefix tokens (class, distillation, registers) are never cut, so these
tokens go on relaying information. Knows nothing of heads or of rollout.

Shapes: L layers, B batch, N tokens = P prefix + n patches, R ratios.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from deit_core.catalog import SCOPES
from deit_core.errors import DeitError

RATIOS = tuple(percent / 100 for percent in range(100))  # the positions of a slider


@torch.no_grad()
def thresholds(
    fused: Tensor, *, num_prefix_tokens: int, ratios: Sequence[float] = RATIOS, scope: str = "matrix"
) -> Tensor:
    """Find the weight below which a link is dropped, for many discard ratios at the price of one sort.

    Args:
        fused: (L, B, N, N) from `fuse_heads`.
        num_prefix_tokens: P, the leading tokens that are not patches.
        ratios: R shares in [0, 1).
        scope: "matrix" ranks all N * n patch links of an image and layer together; "row" ranks the n patch links of
            each token by themselves, so that no token loses all its patches.
    Returns: (R, L, B, 1, 1) for "matrix", (R, L, B, N, 1) for "row"; each entry compares with a layer by broadcasting.
        With M links ranked together it is the one at position floor(ratio * M) in ascending order.
    Raises: ValueError for a ratio outside [0, 1), an unknown scope, or attention without patches.
    """
    _check_cut(fused, num_prefix_tokens, ratios, scope)
    links = fused[..., num_prefix_tokens:]  # (L, B, N, n)
    if scope == "matrix":
        links = links.flatten(-2).unsqueeze(-2)  # (L, B, 1, N * n)
    count = links.shape[-1]
    ranks = [min(int(ratio * count), count - 1) for ratio in ratios]  # a ratio next to 1 may round up to count
    if len(ranks) == 1:  # selecting one value is several times faster than sorting all
        return links.kthvalue(ranks[0] + 1, dim=-1, keepdim=True).values.unsqueeze(0)
    ordered = links.sort(dim=-1).values
    return torch.stack([ordered[..., rank].unsqueeze(-1) for rank in ranks])


@torch.no_grad()
def discard_links(fused: Tensor, threshold: Tensor, *, num_prefix_tokens: int) -> Tensor:
    """Set the patch links below a threshold to 0.

    With cached `thresholds` this is the whole work of a slider step, `rollout` does the rest:
    `rollout(discard_links(fused, cuts[i], num_prefix_tokens=1), num_prefix_tokens=1, grid_size=...)`.

    Args:
        fused: (L, B, N, N) from `fuse_heads`.
        threshold: one entry of `thresholds`, (L, B, 1, 1) or (L, B, N, 1). Links equal to it stay.
        num_prefix_tokens: P; the first P columns stay as they are.
    Returns: (L, B, N, N), a new tensor. Rows are not normalised again.
    """
    # Cutting all columns and putting the prefix back takes half the time of cutting a strided view; a comparison that
    # writes floats takes a sixth of one that writes bools for a product to convert.
    kept = torch.ge(fused, threshold, out=torch.empty_like(fused)).mul_(fused)
    kept[..., :num_prefix_tokens] = fused[..., :num_prefix_tokens]
    return kept


def discard_flat(fused: Tensor, ratio: float) -> Tensor:
    """Drop links as vit-explain does for its first image: N * N candidates, only link 0 -> 0 is spared."""
    flat = fused.flatten(-2)  # (L, B, N * N)
    weakest = flat.topk(int(ratio * flat.shape[-1]), dim=-1, largest=False).indices
    dropped = torch.zeros_like(flat, dtype=torch.bool).scatter_(-1, weakest, True)
    dropped[..., 0] = False
    return flat.masked_fill(dropped, 0).view_as(fused)


def check_ratio(ratio: float) -> None:
    if not 0 <= ratio < 1:
        raise DeitError(f"discard_ratio must lie in [0, 1), not {ratio}; 0 keeps every link, 0.9 drops nine in ten.")


def check_scope(scope: str) -> None:
    if scope not in SCOPES:
        raise DeitError(f"There is no scope {scope!r}; choose {' or '.join(SCOPES)}.")


def _check_cut(fused: Tensor, num_prefix_tokens: int, ratios: Sequence[float], scope: str) -> None:
    if fused.ndim != 4:
        raise DeitError(
            f"thresholds needs fused attention (L, B, N, N), not {tuple(fused.shape)}; call fuse_heads first."
        )
    if not 0 <= num_prefix_tokens < fused.shape[-1]:
        raise DeitError(f"{num_prefix_tokens} prefix tokens leave no patches among {fused.shape[-1]} tokens.")
    if not ratios:
        raise DeitError("Give at least one discard ratio.")
    for ratio in ratios:
        check_ratio(ratio)
    check_scope(scope)
