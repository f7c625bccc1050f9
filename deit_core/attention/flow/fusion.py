"""Fuse the heads of attention weights into one matrix per layer and image.

Accepts the weights in the forms in which models return them and refuses what is not attention after a softmax. Knows
nothing of rollout, of token order or of models.

Shapes: L layers, B batch, H heads, N tokens = prefix + patches.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from deit_core.catalog import HEAD_FUSIONS
from deit_core.errors import DeitError

Attention = Tensor | Sequence[Tensor]
HeadFusion = str | int | Sequence[float] | Tensor

ROW_SUM_TOLERANCE = 1e-3

_NOT_FINITE = "The attention holds NaN or infinite values; check the model's weights and its input."


@torch.no_grad()
def fuse_heads(attention: Attention, head_fusion: HeadFusion = "mean") -> Tensor:
    """Fuse the heads of every layer.

    Args:
        attention: (L, B, H, N, N) softmax weights, or a list of L tensors (B, H, N, N); each row sums to 1. Weights
            that are fused already, (L, B, N, N) or a list of (B, N, N), pass through whatever their row sums; a named
            `head_fusion` is then not applied again.
        head_fusion: "mean", "max" or "min" over heads; a head's index; or H weights >= 0 of a weighted mean.
    Returns: (L, B, N, N), in float32 or, for float64 input, in float64; detached. It shares memory with `attention`
        where nothing had to be computed, so treat it as read-only.
    Raises: ValueError if the layout is none of the above, if a row of a head does not sum to 1, if a weight is negative
        or not finite, or if `head_fusion` does not exist.
    """
    has_heads = _check_layout(attention)
    _check_head_fusion(head_fusion, has_heads)
    if isinstance(attention, Tensor):
        fused = _fuse(attention, head_fusion, has_heads)
    else:  # layer by layer: a list of raw heads is never stacked, its copy could be gigabytes
        fused = torch.stack([_fuse(layer, head_fusion, has_heads) for layer in attention])
    lowest, highest = fused.aminmax()
    if not (lowest.isfinite() and highest.isfinite()):
        raise DeitError(_NOT_FINITE)
    if lowest < 0:
        raise DeitError(
            f"Attention weights cannot be negative, but one is {lowest.item():.3g}; pass the weights after the "
            "softmax, or clamp a gradient-weighted map at 0 first."
        )
    return fused.detach()


def _fuse(weights: Tensor, head_fusion: HeadFusion, has_heads: bool) -> Tensor:
    dtype = torch.promote_types(weights.dtype, torch.float32)
    if not has_heads:
        return weights.to(dtype)
    _check_rows(weights, dtype)  # (..., H, N, N)
    match head_fusion:
        case "mean":
            return weights.mean(dim=-3, dtype=dtype)
        case "max":
            return weights.amax(dim=-3).to(dtype)
        case str():  # "min": the names were checked
            return weights.amin(dim=-3).to(dtype)
        case int():
            num_heads = weights.shape[-3]
            if not 0 <= head_fusion < num_heads:
                raise DeitError(f"There is no head {head_fusion}; choose one from 0 to {num_heads - 1}.")
            return weights.select(-3, head_fusion).to(dtype)
        case _:
            return _weighted_mean(weights.to(dtype), head_fusion)


def _weighted_mean(weights: Tensor, head_weights: Sequence[float] | Tensor) -> Tensor:
    num_heads = weights.shape[-3]
    share = torch.as_tensor(head_weights, dtype=weights.dtype, device=weights.device)
    if share.shape != (num_heads,) or not (share >= 0).all() or not 0 < share.sum() < math.inf:
        raise DeitError(f"head_fusion as weights must be {num_heads} finite numbers >= 0, one per head, not all 0.")
    return torch.einsum("h,...hij->...ij", share / share.sum(), weights)


def _check_layout(attention: Attention) -> bool:
    """Refuse what is not attention; say whether it has a head axis."""
    layers = list(attention)
    if not layers:
        raise DeitError("The attention is empty; ask the model for at least one layer.")
    for index, layer in enumerate(layers):
        if not isinstance(layer, Tensor):
            raise DeitError(
                f"Layer {index} of the attention is {type(layer).__name__}, not a tensor; call the model with "
                'return_attention=True (for Hugging Face models, load them with attn_implementation="eager").'
            )
        if layer.shape != layers[0].shape:
            raise DeitError(
                f"Every layer must have one shape, but layer 0 is {tuple(layers[0].shape)} and layer {index} is "
                f"{tuple(layer.shape)}; rollout needs a model whose tokens stay the same through all layers."
            )
    shape = tuple(layers[0].shape)
    if len(shape) not in (3, 4) or shape[-1] != shape[-2] or 0 in shape:
        raise DeitError(
            f"A layer of shape {shape} is no attention; pass (L, B, H, N, N), or (L, B, N, N) for fused heads, "
            "or a list of L such layers."
        )
    if not layers[0].is_floating_point():
        raise DeitError(f"Attention must be floating point, not {layers[0].dtype}; convert it with .float().")
    return len(shape) == 4


def _check_head_fusion(head_fusion: HeadFusion, has_heads: bool) -> None:
    if isinstance(head_fusion, str):
        if head_fusion not in HEAD_FUSIONS:
            raise DeitError(
                f"There is no head_fusion {head_fusion!r}; choose {', '.join(HEAD_FUSIONS)}, a head's index, "
                "or one weight per head."
            )
    elif not has_heads:
        raise DeitError(
            "The heads are fused already, so none can be chosen or weighted; pass the attention with its head axis."
        )


def _check_rows(weights: Tensor, dtype: torch.dtype) -> None:
    # In bfloat16 a row of equal weights can round to a sum that is further off 1 than the usual tolerance.
    tolerance = max(ROW_SUM_TOLERANCE, torch.finfo(weights.dtype).eps)
    error = (weights.sum(dim=-1, dtype=dtype) - 1).abs().max()
    if not error.isfinite():
        raise DeitError(_NOT_FINITE)
    if error > tolerance:
        raise DeitError(
            f"Each row of a head must sum to 1, but one is off by {error.item():.3g}; call model.eval() (dropout in "
            "train mode does this) and pass the weights after the softmax."
        )
