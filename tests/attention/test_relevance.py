"""Methods that ask a transformer, checked against one that is written out by hand and differentiated layer by layer."""

import copy
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deit_core.attention.flow.rollout import rollout, rollout_matrix
from deit_core.attention.methods.relevance import (
    attention_relevance,
    attention_rollout,
    class_attention,
    gradient_rollout,
)
from deit_core.attention.methods.table import METHODS
from deit_core.models import ResNet9, VisionTransformer

Explain = Callable[..., Tensor]

GRADIENT_METHODS = [gradient_rollout, attention_relevance]
BLIND_METHODS = [attention_rollout, class_attention]
ALL_METHODS = [*BLIND_METHODS, *GRADIENT_METHODS]
GRIDS = {"square": {"img_size": 12, "patch_size": 4}, "rectangular": {"img_size": (8, 15), "patch_size": (4, 3)}}
CASES = [(distilled, grid) for distilled in (False, True) for grid in GRIDS]

every_method = pytest.mark.parametrize("method", ALL_METHODS)
gradient_methods = pytest.mark.parametrize("method", GRADIENT_METHODS)


def model_of(distilled: bool = False, grid: str = "square", dtype: torch.dtype = torch.float64) -> VisionTransformer:
    torch.manual_seed(3)
    model = VisionTransformer(
        **GRIDS[grid],
        in_chans=2,
        num_classes=5,
        embed_dim=24,
        depth=3,
        num_heads=3,
        mlp_ratio=2,
        distilled=distilled,
        drop_rate=0.1,
        attn_drop_rate=0.1,
        drop_path_rate=0.1,
    )
    with torch.no_grad():
        for parameter in model.parameters():  # far from initialisation, where attention is nearly even
            parameter.add_(torch.randn_like(parameter), alpha=0.15)
    return model.to(dtype).eval()


def images_of(model: VisionTransformer, batch: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(batch, model.in_chans, *model.img_size, generator=generator, dtype=torch.float64)
    return pixels.to(model.pos_embed.dtype)


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


@every_method
def test_a_call_leaves_nothing_behind(method: Explain) -> None:
    model = model_of(distilled=True, dtype=torch.float32)
    images = images_of(model)
    before, pixels = copy.deepcopy(model.state_dict()), images.clone()
    first = method(model, images)
    assert torch.equal(first, method(model, images))
    assert torch.equal(images, pixels)
    assert not images.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


@every_method
def test_maps_are_plain_shares(method: Explain) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        model = model_of(dtype=dtype)
        maps = method(model, images_of(model))
        assert maps.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert not maps.requires_grad
        assert (maps >= 0).all()
        if method in GRADIENT_METHODS:
            torch.testing.assert_close(maps.sum((1, 2)), torch.ones(3, dtype=maps.dtype))


@every_method
@pytest.mark.parametrize("distilled", [False, True])
def test_a_batch_equals_its_images_one_by_one(method: Explain, distilled: bool) -> None:
    model = model_of(distilled)
    images, targets = images_of(model, 4), torch.tensor([3, 3, 0, 1])
    for target in (None, targets):
        batch = method(model, images, target=target)
        for index in range(4):
            one = slice(index, index + 1)
            alone = method(model, images[one], target=None if target is None else target[one])
            torch.testing.assert_close(batch[one], alone, rtol=0, atol=1e-12)


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


@every_method
def test_works_where_the_caller_wants_no_gradients(method: Explain) -> None:
    model = model_of(dtype=torch.float32)
    images, target = images_of(model), torch.tensor([0, 1, 2])
    expected = method(model, images, target=target)
    with torch.no_grad():
        assert torch.equal(method(model, images, target=target), expected)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        made_here = images.clone(), target.clone()
        assert torch.equal(method(model, made_here[0], target=made_here[1]), expected)
        assert torch.is_inference_mode_enabled()
    model.requires_grad_(False)
    assert torch.equal(method(model, images, target=target), expected)
    assert torch.equal(method(model, images.double().requires_grad_(), target=target), expected)


def test_threads_share_a_model() -> None:
    model = model_of()
    images = images_of(model)
    expected = [attention_relevance(model, images, target=torch.full((3,), target)) for target in range(5)]
    found: dict[int, Tensor] = {}

    def work(target: int) -> None:
        for _ in range(5):
            found[target] = attention_relevance(model, images, target=torch.full((3,), target))

    threads = [threading.Thread(target=work, args=(target,)) for target in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[target], expected[target]) for target in range(5))
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("method", BLIND_METHODS)
def test_any_token_can_be_queried_without_gradients(method: Explain) -> None:
    model = model_of(distilled=True)
    images = images_of(model)
    maps = torch.stack([method(model, images, query=token) for token in range(11)])
    weights = torch.arange(11.0) / 55
    expected = torch.einsum("n,nbij->bij", weights.double(), maps)
    torch.testing.assert_close(method(model, images, query=weights), expected)


@gradient_methods
@pytest.mark.parametrize("query", [3, torch.ones(10)], ids=["token", "weights"])
def test_a_token_without_a_logit_is_refused(method: Explain, query: Any) -> None:
    model = model_of()
    with pytest.raises(ValueError, match=r"Only an output has a logit .* choose rollout or class_attention"):
        method(model, images_of(model), query=query)


@every_method
@pytest.mark.parametrize(
    ("query", "says"),
    [("cls", "There is no query 'cls'; choose head, class, distillation"), ("distillation", "no distillation token")],
)
def test_a_query_that_does_not_exist_is_named(method: Explain, query: str, says: str) -> None:
    model = model_of()
    with pytest.raises(ValueError, match=re.escape(says)):
        method(model, images_of(model), query=query)


@gradient_methods
@pytest.mark.parametrize(
    "target",
    [
        torch.tensor([0, 1]),
        torch.tensor([[0, 1, 2]]),
        torch.tensor(1),
        torch.tensor([0, 1, 5]),
        torch.tensor([0, -1, 2]),
        torch.tensor([0.0, 1.0, 2.0]),
        torch.tensor([True, False, True]),
    ],
    ids=str,
)
def test_a_class_that_does_not_exist_is_refused(method: Explain, target: Tensor) -> None:
    model = model_of()
    with pytest.raises(ValueError, match="target must be 3 class indices from 0 to 4, one per image; None takes"):
        method(model, images_of(model), target=target)


@every_method
@pytest.mark.parametrize("shape", [(2, 12, 12), (1, 3, 12, 12), (1, 2, 12, 16)], ids=str)
def test_images_of_another_shape_are_refused(method: Explain, shape: tuple[int, ...]) -> None:
    says = f"The model reads images of shape (2, 12, 12) in a batch, not {shape}; use fit_image"
    with pytest.raises(ValueError, match=re.escape(says)):
        method(model_of(), torch.zeros(shape))


@every_method
def test_what_cannot_be_explained_is_refused(method: Explain) -> None:
    model = model_of()
    images = images_of(model)
    with pytest.raises(ValueError, match=r"must be floating point, normalised as in training, not torch\.uint8\."):
        method(model, images.byte())
    with pytest.raises(ValueError, match=r"A ResNet9 has no attention .*; choose grad_cam"):
        method(ResNet9(2, 5, width=4).eval(), images)
    with pytest.raises(ValueError, match="A Linear has no attention"):
        method(nn.Linear(2, 2), images)
    with pytest.raises(ValueError, match="There are no images to explain; give at least one"):
        method(model, images[:0])
    model.blocks[1].mlp.drop.train()
    with pytest.raises(ValueError, match=re.escape("train mode, where dropout makes each pass different; call")):
        method(model, images)


@every_method
def test_weights_that_are_not_finite_are_refused(method: Explain) -> None:
    model = model_of()
    with torch.no_grad():
        model.blocks[0].mlp.fc1.bias[0] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinite"):
        method(model, images_of(model))


@gradient_methods
def test_an_output_that_is_not_finite_is_refused(method: Explain) -> None:
    model = model_of()
    with torch.no_grad():
        model.head.bias[2] = float("inf")
    with pytest.raises(ValueError, match="output holds NaN or infinite values; choose an earlier epoch"):
        method(model, images_of(model))


def test_every_listed_method_explains_its_family() -> None:
    vit, cnn = model_of(distilled=True, dtype=torch.float32), ResNet9(2, 5, width=4).eval()
    images = images_of(vit)
    assert list(METHODS) == ["rollout", "class_attention", "gradient_rollout", "attention_relevance", "grad_cam"]
    for facts, explain in ((method.facts, method.explain) for method in METHODS.values()):
        model, other = (vit, cnn) if facts.family == "vit" else (cnn, vit)
        maps = [explain(model, images, query="head", target=torch.full((3,), target)) for target in (1, 3)]
        assert torch.equal(maps[0], maps[1]) != facts.class_specific
        assert facts.summary.endswith(".")
        with pytest.raises(ValueError, match="choose"):
            explain(other, images)
