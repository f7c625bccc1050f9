"""Ask a transformer which patches mattered: from its attention alone, or from its attention and a class's gradient.

Four methods with one signature. Knows our VisionTransformer; nothing of files, runs or pages. A model is only read: no
hooks, no mode switched, no parameter's `.grad` touched, so that threads may share one.

Shapes: L layers, B batch, H heads, N tokens = P prefix + gh * gw patches, C channels, K classes
"""

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from deit_core.attention.flow.head_maps import head_maps
from deit_core.attention.flow.mixing import fuse_layers
from deit_core.attention.flow.query import Query, query_weights, read_by
from deit_core.attention.flow.rollout import rollout
from deit_core.attention.methods.explain import begin_graph, logit_of, sum_to_one, target_class, to_transformer
from deit_core.errors import DeitError
from deit_core.models import VisionTransformer
from deit_core.models.vit import mean_of_heads


@torch.no_grad()
def attention_rollout(
    model: nn.Module, images: Tensor, *, query: Query = "head", target: Tensor | None = None, **options: Any
) -> Tensor:
    """Rollout, by default as in the paper: mean of the heads, nothing discarded.

    Args:
        model: a VisionTransformer in eval mode.
        images: (B, C, height, width) floating point, normalised as in training.
        query: "head", "class", "distillation", a token's index or weights; see `query_weights`.
        target: ignored. Rollout knows no classes.
        options: the controls of `rollout`, such as `head_fusion` and `discard_ratio`. The residual of a model without
            skip connections is 0, even if another is asked for.
    Returns: (B, gh, gw), the patches' shares as they are: with those of the prefix tokens they sum to 1. In float32
        (float64 for a float64 model), like every method's maps.
    Raises: ValueError for a model that is no VisionTransformer or is in train mode, images that it cannot read,
        weights that are not finite, or a token that does not exist.
    Source: Abnar & Zuidema 2020 (arXiv:2005.00928).
    """
    vit, pixels = to_transformer(model, images)
    _, attention = vit.forward_features(pixels, return_attention=True)
    options |= {"num_prefix_tokens": vit.num_prefix_tokens, "grid_size": vit.grid_size}
    if not vit.skip_connections:
        options["residual"] = 0.0
    return rollout(attention, query=read_by(query, vit.shares_read()), **options).map


@torch.no_grad()
def class_attention(model: nn.Module, images: Tensor, *, query: Query = "head", target: Tensor | None = None) -> Tensor:
    """What the queried token attends to in the last layer, mean of the heads.

    Args: as in `attention_rollout`; `target` is ignored.
    Returns: (B, gh, gw), the patches' shares as they are.
    Raises: ValueError, as `attention_rollout`.
    Source: Caron et al. 2021 (arXiv:2104.14294), who show each head by itself; for that see `head_maps`.
    """
    vit, pixels = to_transformer(model, images)
    _, attention = vit.forward_features(pixels, return_attention=[vit.depth - 1])
    query = read_by(query, vit.shares_read())
    maps = head_maps(attention, num_prefix_tokens=vit.num_prefix_tokens, grid_size=vit.grid_size, query=query)
    return maps[0].mean(1)  # over heads


def gradient_rollout(
    model: nn.Module, images: Tensor, *, query: Query = "head", target: Tensor | None = None
) -> Tensor:
    """Rollout of attention times gradient, each layer with its own: max(0, mean over heads of A * dlogit/dA).

    These links are small compared with the residual share of 0.5, so the result is nearly a plain sum over layers.

    Args:
        model, images: as in `attention_rollout`.
        query: the output whose logit is explained, and whose row is read: "head" (the model's output, the mean of the
            heads of a DeiT), "class" or "distillation" (that head alone).
        target: (B,) class indices; None takes the class that the model's output predicts, whatever the query.
    Returns: (B, gh, gw), scaled to sum to 1, or all 0 where nothing positive reaches a patch.
    Raises: ValueError, as `attention_rollout`; also for a query without a logit, a class that does not exist, or an
        output that is not finite.
    Source: J. Gildenblat 2020 (github.com/jacobgil/vit-explain), the idea. Departs from that code, which gives each
        layer another layer's gradient, keeps the maps of earlier calls and divides columns in place of rows; and
        discards nothing.
    """
    vit, attention, gradients, query = _attention_and_gradients(model, images, query, target)
    links = [(a * d).mean(1).clamp(min=0) for a, d in zip(attention, gradients, strict=True)]  # B N N each
    result = rollout(
        links,
        num_prefix_tokens=vit.num_prefix_tokens,
        grid_size=vit.grid_size,
        query=query,
        residual=0.5 if vit.skip_connections else 0.0,
    )
    return sum_to_one(result.map)


def attention_relevance(
    model: nn.Module, images: Tensor, *, query: Query = "head", target: Tensor | None = None
) -> Tensor:
    """Accumulate the positive part of attention times gradient: C = mean over heads of max(0, A * dlogit/dA).

    The query's row of (I + C_L) ... (I + C_1), without skip connections of C_L ... C_1, is carried down as a vector,
    O(L N^2). No row is normalised: what a layer adds grows with its gradient.

    Args: as in `gradient_rollout`.
    Returns: (B, gh, gw), scaled to sum to 1, or all 0 where nothing positive reaches a patch.
    Raises: ValueError, as `gradient_rollout`.
    Source: Chefer et al. 2021 (arXiv:2103.15679), the rule for self-attention.
    """
    vit, attention, gradients, query = _attention_and_gradients(model, images, query, target)
    positive = [(a * d).clamp(min=0).mean(1) for a, d in zip(attention, gradients, strict=True)]  # B N N each
    _, _, links = fuse_layers(positive, vit.num_prefix_tokens, vit.grid_size, "mean", None)
    relevance = query_weights(query, num_prefix_tokens=vit.num_prefix_tokens, like=links[0, :, 0])
    for layer in links.flip(0):
        passed = torch.einsum("bq,bqk->bk", relevance, layer)
        relevance = relevance + passed if vit.skip_connections else passed
    return sum_to_one(rearrange(relevance[:, vit.num_prefix_tokens :], "b (gh gw) -> b gh gw", gh=vit.grid_size[0]))


@torch.inference_mode(False)  # a caller may be in it, and only leaving it brings autograd back
@torch.enable_grad()
def _attention_and_gradients(
    model: nn.Module, images: Tensor, query: Query, target: Tensor | None
) -> tuple[VisionTransformer, list[Tensor], list[Tensor], Query]:
    """The model, its attention and d logit / d attention: L tensors (B, H, N, N) each, detached, at least float32; and
    the query as weights of the tokens that the output reads.
    """
    if not isinstance(query, str):
        raise DeitError(
            "Only an output has a logit whose gradient can be followed; for any other token choose rollout or "
            'class_attention, or query "head", "class" or "distillation".'
        )
    vit, pixels = to_transformer(model, images)
    tokens, attention = vit.forward_features(begin_graph(pixels), return_attention=True)
    asked = read_by(query, vit.shares_read())
    query_weights(asked, num_prefix_tokens=vit.num_prefix_tokens, like=tokens[..., 0])  # refuses a token not there
    heads = vit.forward_heads(tokens)
    output = mean_of_heads(heads)
    logits = logit_of(target_class(output, target), output)
    gradients = torch.autograd.grad(output if query == "head" else heads[query], attention, grad_outputs=logits)
    dtype = torch.promote_types(output.dtype, torch.float32)
    return vit, [layer.detach().to(dtype) for layer in attention], [layer.to(dtype) for layer in gradients], asked
