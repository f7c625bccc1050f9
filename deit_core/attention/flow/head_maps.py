"""Show each head of each layer by itself: what one token attends to there, before anything is fused or rolled out.

Knows nothing of models.

Shapes: L layers, B batch, H heads, N tokens = P prefix + gh * gw patches.
"""

import torch
from einops import rearrange
from torch import Tensor

from deit_core.attention.flow.fusion import Attention
from deit_core.attention.flow.mixing import fuse_layers
from deit_core.attention.flow.query import Query, query_weights
from deit_core.errors import DeitError


@torch.no_grad()
def head_maps(
    attention: Attention, *, num_prefix_tokens: int, grid_size: tuple[int, int], query: Query = "head"
) -> Tensor:
    """Read each head's own attention from the query to the patches.

    Args:
        attention: (L, B, H, N, N) softmax weights whose rows sum to 1, or a list of L tensors (B, H, N, N).
        num_prefix_tokens, grid_size, query: as in `rollout`.
    Returns: (L, B, H, gh, gw), in float32 or, for float64 input, in float64: shares as they are, which sum to 1 with
        those of the prefix tokens.
    Raises: ValueError, as `rollout`, and for attention whose heads are fused already.
    """
    # Only for its checks, and as "min" because that is the fusion in which no head's negative weight can hide.
    _, _, weakest = fuse_layers(attention, num_prefix_tokens, grid_size, "min", None)
    if attention[0].ndim == 3:
        raise DeitError("The heads are fused already, so none can be shown; pass the attention with its head axis.")
    weights = query_weights(query, num_prefix_tokens=num_prefix_tokens, like=weakest[0, :, 0])
    # Cut to the patches before the copy to a wider dtype.
    rows = [
        torch.einsum("bq,bhqk->bhk", weights, layer[..., num_prefix_tokens:].to(weights.dtype)) for layer in attention
    ]
    return rearrange(torch.stack(rows), "l b h (gh gw) -> l b h gh gw", gh=grid_size[0])
