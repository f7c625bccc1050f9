"""Maps of a transformer equal those written out by hand, layer by layer, and are of the class that is asked for."""

import copy
from typing import Any

import pytest
import torch
from explained_vit import BLIND_METHODS, GRIDS, Explain, gradient_methods, images_of, model_of
from torch import Tensor

from deit_core.attention.flow.rollout import rollout, rollout_matrix
from deit_core.attention.methods.relevance import (
    attention_relevance,
    attention_rollout,
    class_attention,
    gradient_rollout,
)
from deit_core.models import VisionTransformer

CASES = [(distilled, grid) for distilled in (False, True) for grid in GRIDS]


def queries_of(model: VisionTransformer) -> list[str]:
    return ["head", "class", "distillation"] if model.distilled else ["head", "class"]


def by_hand(
    model: VisionTransformer, image: Tensor, query: str, target: int
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """One image's attention (H, N, N) and its gradient, layer by layer, and the query's row (N,)."""
    model = copy.deepcopy(model)
    patches = model.patch_embed(image.unsqueeze(0))[0]
    prefix = [model.cls_token[0]] + ([model.dist_token[0]] if model.distilled else [])
    x = torch.cat([*prefix, patches]) + model.pos_embed[0]
    tokens, width = x.shape
    size = width // model.num_heads
    attention = []
    for block in model.blocks:
        q, k, v = block.attn.qkv(block.norm1(x)).split(width, dim=-1)
        scores = [q[:, at : at + size] @ k[:, at : at + size].T / size**0.5 for at in range(0, width, size)]
        weights = torch.stack(scores).softmax(-1)
        weights.retain_grad()
        attention.append(weights)
        mixed = [weights[head] @ v[:, head * size : (head + 1) * size] for head in range(model.num_heads)]
        x = x + block.attn.proj(torch.cat(mixed, dim=-1))
        x = x + block.mlp(block.norm2(x))
    x = model.norm(x)
    logits = {"class": model.head(x[0])}
    row = torch.zeros(tokens, dtype=x.dtype)
    if model.distilled:
        logits["distillation"] = model.head_dist(x[1])
    if query == "head":
        sum(value[target] / len(logits) for value in logits.values()).backward()
        row[: len(logits)] = 1 / len(logits)
    else:
        logits[query][target].backward()
        row[list(logits).index(query)] = 1
    return [weights.detach() for weights in attention], [weights.grad for weights in attention], row


def scaled(relevance: Tensor, model: VisionTransformer) -> Tensor:
    patches = relevance[model.num_prefix_tokens :].reshape(model.grid_size)
    return patches / patches.sum()


def relevance_by_hand(model: VisionTransformer, image: Tensor, query: str, target: int) -> Tensor:
    attention, gradients, row = by_hand(model, image, query, target)
    matrix = torch.eye(len(row), dtype=row.dtype)
    for weights, gradient in zip(attention, gradients, strict=True):
        positive = sum((weights[head] * gradient[head]).relu() for head in range(model.num_heads)) / model.num_heads
        matrix = matrix + positive @ matrix
    return scaled(row @ matrix, model)


def gradient_rollout_by_hand(model: VisionTransformer, image: Tensor, query: str, target: int) -> Tensor:
    attention, gradients, row = by_hand(model, image, query, target)
    identity = torch.eye(len(row), dtype=row.dtype)
    matrix = identity
    for weights, gradient in zip(attention, gradients, strict=True):
        positive = (sum(weights[head] * gradient[head] for head in range(model.num_heads)) / model.num_heads).relu()
        mixed = identity / 2 + positive / 2
        matrix = mixed / mixed.sum(1, keepdim=True) @ matrix
    return scaled(row @ matrix, model)


BY_HAND = {attention_relevance: relevance_by_hand, gradient_rollout: gradient_rollout_by_hand}


@gradient_methods
@pytest.mark.parametrize(("distilled", "grid"), CASES)
def test_equals_the_matrices_written_by_hand(method: Explain, distilled: bool, grid: str) -> None:
    model = model_of(distilled, grid)
    images, targets = images_of(model), torch.tensor([4, 0, 2])
    for query in queries_of(model):
        maps = method(model, images, query=query, target=targets)
        assert maps.shape == (3, *model.grid_size)
        for image, target, found in zip(images, targets.tolist(), maps, strict=True):
            expected = BY_HAND[method](model, image, query, target)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("distilled", "grid"), CASES)
def test_rollout_is_that_of_the_models_attention(distilled: bool, grid: str) -> None:
    model = model_of(distilled, grid)
    images = images_of(model)
    _, attention = model(images, return_attention=True)
    sequence: dict[str, Any] = {"num_prefix_tokens": model.num_prefix_tokens, "grid_size": model.grid_size}
    matrix = rollout_matrix(attention, **sequence)[..., model.num_prefix_tokens :]
    rows = {"head": matrix[:, : model.num_prefix_tokens].mean(1), "class": matrix[:, 0], "distillation": matrix[:, 1]}
    for query in queries_of(model):
        expected = rows[query].reshape(3, *model.grid_size)
        torch.testing.assert_close(attention_rollout(model, images, query=query), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("distilled", "grid"), CASES)
def test_class_attention_is_the_last_layers_row(distilled: bool, grid: str) -> None:
    model = model_of(distilled, grid)
    images, prefix = images_of(model), model.num_prefix_tokens
    rows = model(images, return_attention=True)[1][-1].mean(1)[..., prefix:].detach()
    expected = {
        "head": rows[:, :prefix].mean(1),
        "class": rows[:, 0],
        "distillation": rows[:, 1],
        prefix: rows[:, prefix],
    }
    for query in [*queries_of(model), prefix]:
        found = class_attention(model, images, query=query)
        torch.testing.assert_close(found.flatten(1), expected[query], rtol=0, atol=1e-12)
        assert (found.sum((1, 2)) < 0.999).all(), "shares as they are: some stays on the prefix"


@gradient_methods
@pytest.mark.parametrize("silent", [0, 2])
def test_each_layer_gets_its_own_gradient(method: Explain, silent: int) -> None:
    """Where a layer's update is cut off, its own links get no gradient, and the others keep theirs."""
    model = model_of()
    with torch.no_grad():
        model.blocks[silent].attn.proj.weight.zero_()
    images, target = images_of(model, 1), torch.tensor([1])
    attention, gradients, row = by_hand(model, images[0], "class", 1)
    assert [bool(gradient.any()) for gradient in gradients] == [layer != silent for layer in range(3)]
    links = [weights * gradient for weights, gradient in zip(attention, gradients, strict=True)]
    if method is attention_relevance:
        expected = row
        for layer in (2, 1, 0):
            if layer != silent:
                expected = expected + expected @ links[layer].relu().mean(0)
    else:
        fused = torch.stack([layer.mean(0).relu().unsqueeze(0) for layer in links])
        fused[silent] = 0
        sequence: dict[str, Any] = {"num_prefix_tokens": model.num_prefix_tokens, "grid_size": model.grid_size}
        expected = rollout(fused, **sequence, query="class").weights[0]
    found = method(model, images, query="class", target=target)[0]
    torch.testing.assert_close(found, scaled(expected, model), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", BLIND_METHODS)
def test_attention_alone_is_blind_to_the_class(method: Explain) -> None:
    model = model_of()
    images = images_of(model)
    maps = [method(model, images, target=torch.full((3,), target)) for target in range(5)]
    assert all(torch.equal(maps[0], other) for other in maps[1:])


@gradient_methods
def test_gradients_see_the_class(method: Explain) -> None:
    model = model_of()
    images = images_of(model)
    maps = [method(model, images, target=torch.full((3,), target)) for target in range(5)]
    for index, one in enumerate(maps):
        for other in maps[:index]:
            assert ((one - other).abs().sum((1, 2)) > 0.05).all()


@gradient_methods
def test_without_a_target_the_models_own_prediction_is_explained(method: Explain) -> None:
    model = model_of(distilled=True)
    images = images_of(model, 16)
    tokens, _ = model.forward_features(images)
    heads = model.forward_heads(tokens)
    predicted = model(images).argmax(-1)
    assert len(predicted.unique()) > 1
    assert not torch.equal(predicted, heads["class"].argmax(-1)), "else this could not tell the heads apart"
    for query in queries_of(model):
        own = method(model, images, query=query)
        assert torch.equal(own, method(model, images, query=query, target=predicted))
        assert torch.equal(own, method(model, images, query=query, target=predicted.int()))


@gradient_methods
def test_a_silent_head_has_no_relevance(method: Explain) -> None:
    model = model_of(distilled=True)
    images, target = images_of(model), torch.tensor([0, 1, 2])
    with torch.no_grad():
        model.head_dist.weight.zero_()
    assert not method(model, images, query="distillation", target=target).any()
    assert method(model, images, query="class", target=target).any()


@gradient_methods
def test_nothing_positive_gives_an_empty_map(method: Explain) -> None:
    model = model_of()
    with torch.no_grad():
        model.head.weight.zero_()
    maps = method(model, images_of(model))
    assert torch.equal(maps, torch.zeros_like(maps))


@pytest.mark.parametrize("method", BLIND_METHODS)
def test_any_token_can_be_queried_without_gradients(method: Explain) -> None:
    model = model_of(distilled=True)
    images = images_of(model)
    maps = torch.stack([method(model, images, query=token) for token in range(11)])
    weights = torch.arange(11.0) / 55
    expected = torch.einsum("n,nbij->bij", weights.double(), maps)
    torch.testing.assert_close(method(model, images, query=weights), expected)
