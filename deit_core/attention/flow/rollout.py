"""Attention rollout: how much of each patch reaches the output tokens through all layers of a transformer.

Works on attention weights alone. Knows nothing of models, images, classes or gradients, so a rollout is the same
for every class.

A token's row of the product a_L ... a_1 is computed by carrying one vector down through the layers, O(L N^2); the
matrices are never multiplied. `rollout_matrix` does multiply them; it checks the vector form and shows the numbers.

Shapes: L layers, S of them chosen, B batch, H heads, N tokens = P prefix + gh * gw patches, R ratios.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from deit_core.attention.flow.discard import RATIOS, discard_links, thresholds
from deit_core.attention.flow.fusion import Attention, HeadFusion
from deit_core.attention.flow.mixing import drop_weakest, fuse_layers, mix
from deit_core.attention.flow.notebook import maps_as_html
from deit_core.attention.flow.options import RolloutOptions
from deit_core.attention.flow.query import Query, query_weights
from deit_core.errors import DeitError


@dataclass(frozen=True, eq=False)
class Rollout:
    """Where the information in the queried tokens comes from, for each image of a batch.

    weights: (B, N) share of every input token; sums to 1.
    map: (B, gh, gw) the patches' part of `weights`, as it is; times gh * gw it reads "x uniform".
    prefix_mass: (B, P) the part that stayed on the class, distillation and register tokens.
    trace: (L, B, N) the shares after each step down: trace[k] is where the information sat below layer L - 1 - k,
        trace[-1] is `weights`. A layer left out repeats the entry before it.
    degenerate: (B,) bool, True where nothing reaches a patch and the map is therefore all 0.
    images: (B, C, H, W) uint8 that the attention is of, where they are known; a notebook shows the maps over them.
    """

    weights: Tensor
    map: Tensor
    prefix_mass: Tensor
    trace: Tensor
    degenerate: Tensor
    images: NDArray[np.uint8] | None = None

    def over(self, images: NDArray[np.uint8]) -> Self:
        """The same, with the images (B, C, H, W) uint8 that the attention is of."""
        if len(images) != len(self.map):
            raise DeitError(
                f"There are maps of {len(self.map)} image(s), not of {len(images)}; pass the images of the look."
            )
        return replace(self, images=images)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return maps_as_html(self.map, self.prefix_mass, self.images)


@torch.no_grad()
def rollout(
    attention: Attention,
    *,
    num_prefix_tokens: int,
    grid_size: tuple[int, int],
    query: Query = "head",
    head_fusion: HeadFusion = "mean",
    discard_ratio: float = 0.0,
    scope: str = "matrix",
    layers: Sequence[int] | None = None,
    residual: float = 0.5,
    row_norm: str = "mixed",
    compat: bool = False,
) -> Rollout:
    """Trace attention from the output tokens back to the patches, through every layer.

    Per layer: fuse the heads to F, drop the weakest links, mix with the residual stream (a = residual * I +
    (1 - residual) * F), divide each row by its sum. The query is then carried from the last layer to the first.

    Args:
        attention: (L, B, H, N, N) softmax weights whose rows sum to 1, fused ones (L, B, N, N), or a list of L layers.
            Any floating dtype and device; computed in float32 or wider, never modified, and outside autograd.
        num_prefix_tokens: P, the tokens before the patches; 1 for a ViT, 2 for a distilled DeiT, 0 without any.
        grid_size: (gh, gw), rows and columns of patches; N must be P + gh * gw.
        query: the token to explain: "head" (the mean of the tokens that the classifier reads), "class",
            "distillation", a token's index, or weights (N,) or (B, N); see `query_weights`.
        head_fusion: "mean", "max", "min", a head's index, or H weights; see `fuse_heads`.
        discard_ratio: share in [0, 1) of the weakest patch links that is dropped, per image and layer; ties are kept.
            Links to prefix tokens are never dropped.
        scope: "matrix" ranks all links of a layer together; "row" those of each token, so that no map is empty.
        layers: indices of the layers to follow, in any order; the others pass everything on. None means all.
        residual: share in [0, 1] of the residual stream, 0.5 in the paper.
        row_norm: "mixed" normalises a; after a discard or a max the residual share then drifts from `residual`.
            "attention" normalises F first and holds it. A row without links keeps its information where it is.
        compat: reproduce the widespread implementation with its errors, for teaching: it ranks all N * N links and
            spares only 0 -> 0, and it divides columns in place of rows, so `weights` need not sum to 1.
    Returns: a `Rollout`, in float32 (float64 for float64 input) on the device of `attention`.
    Raises: ValueError if a row of a head does not sum to 1, a value is not finite, N does not fit, or an argument lies
        outside what is listed here.
    Source: Abnar & Zuidema 2020 (arXiv:2005.00928), which fuses by mean, discards nothing and asks for any token. The
        discard, the other fusions and both row norms are additions; defaults reproduce the paper.
    """
    options = RolloutOptions(query, head_fusion, discard_ratio, scope, layers, residual, row_norm, compat)
    depth, chosen, fused = fuse_layers(attention, num_prefix_tokens, grid_size, head_fusion, layers)
    kept = drop_weakest(fused, num_prefix_tokens, discard_ratio, scope, compat)
    return follow(kept, chosen, depth, num_prefix_tokens, grid_size, options)


@torch.no_grad()
def rollout_sweep(
    attention: Attention,
    *,
    num_prefix_tokens: int,
    grid_size: tuple[int, int],
    ratios: Sequence[float] = RATIOS,
    **options: Any,
) -> Tensor:
    """Compute the maps of many discard ratios at once, fusing and sorting only once.

    Args:
        ratios: R shares in [0, 1); the default holds the hundred positions 0.00 ... 0.99 of a slider.
        options: as in `rollout`, but for `discard_ratio` and `compat`.
    Returns: (R, B, gh, gw); entry i is `rollout(..., discard_ratio=ratios[i]).map`.
    Raises: ValueError, as `rollout`.
    """
    given = RolloutOptions(**options)
    if given.compat:
        raise DeitError("compat has no sweep, since vit-explain ranks other links; call rollout for each ratio.")
    depth, chosen, fused = fuse_layers(attention, num_prefix_tokens, grid_size, given.head_fusion, given.layers)
    cuts = thresholds(fused, num_prefix_tokens=num_prefix_tokens, ratios=ratios, scope=given.scope)
    maps = []
    for cut in cuts:
        kept = discard_links(fused, cut, num_prefix_tokens=num_prefix_tokens)
        maps.append(follow(kept, chosen, depth, num_prefix_tokens, grid_size, given).map)
    return torch.stack(maps)


@torch.no_grad()
def rollout_matrix(
    attention: Attention,
    *,
    num_prefix_tokens: int,
    grid_size: tuple[int, int],
    **options: Any,
) -> Tensor:
    """Multiply the layers' matrices, O(L N^3): slow, but every number can be looked at.

    Args: as in `rollout`; no query.
    Returns: (B, N, N), the product a_L ... a_1. Row q is the rollout of token q; column j tells who listens to token j.
    Raises: ValueError, as `rollout`.
    """
    given = RolloutOptions(**options)
    _, _, fused = fuse_layers(attention, num_prefix_tokens, grid_size, given.head_fusion, given.layers)
    kept = drop_weakest(fused, num_prefix_tokens, given.discard_ratio, given.scope, given.compat)
    identity = torch.eye(fused.shape[-1], dtype=fused.dtype, device=fused.device)
    product = identity.expand(fused.shape[1:])
    for links in kept:
        if given.row_norm == "attention":
            links = _divide(links, links.sum(-1, keepdim=True), identity)
        mixed = given.residual * identity + (1 - given.residual) * links
        sums = mixed.sum(-1, keepdim=True)
        if given.compat:
            sums = sums.mT  # row sums laid along the columns: the error itself
        product = _divide(mixed, sums, identity) @ product
    return product


def _divide(matrix: Tensor, sums: Tensor, where_empty: Tensor) -> Tensor:
    return torch.where(sums < torch.finfo(sums.dtype).tiny, where_empty, matrix / sums)


def follow(
    links: Tensor,
    chosen: Sequence[int],
    depth: int,
    num_prefix_tokens: int,
    grid_size: tuple[int, int],
    options: RolloutOptions,
) -> Rollout:
    """The rollout of links (S, B, N, N) that are fused, checked and cut already; `chosen` are their S layers of L."""
    start = query_weights(options.query, num_prefix_tokens=num_prefix_tokens, like=links[0, :, 0])
    trace = _descend(start, links, chosen, depth, options)
    weights = trace[-1]
    patches = weights[:, num_prefix_tokens:]
    return Rollout(
        weights=weights,
        map=rearrange(patches, "b (gh gw) -> b gh gw", gh=grid_size[0]),
        prefix_mass=weights[:, :num_prefix_tokens],
        trace=trace,
        degenerate=(patches == 0).all(-1),
    )


def _descend(shares: Tensor, links: Tensor, chosen: Sequence[int], depth: int, options: RolloutOptions) -> Tensor:
    """Carry (B, N) shares from the last layer to the first, through the links (S, B, N, N) of the chosen; (L, B, N)."""
    stay, move = (factor.unsqueeze(-2) for factor in mix(links, options.residual, options.row_norm))  # S B 1 N
    shares = shares.unsqueeze(-2)  # B 1 N, a row vector an image
    steps = dict(zip(chosen, zip(stay, move, links, strict=True), strict=True))
    trace = []
    for layer in reversed(range(depth)):
        if layer in steps:
            kept, passed, through = steps[layer]
            # Scaling before the product normalises the rows; after it, the columns.
            if options.compat:
                shares = kept * shares + passed * (shares @ through)
            else:
                shares = torch.baddbmm(kept * shares, passed * shares, through)
        trace.append(shares)
    return torch.cat(trace, dim=1).transpose(0, 1)
