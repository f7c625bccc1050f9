"""A call of a method that asks a transformer: any type and batch, any thread and mode, and nothing is left behind."""

import copy
import threading

import pytest
import torch
from explained_vit import GRADIENT_METHODS, Explain, every_method, images_of, model_of
from torch import Tensor

from deit_core.attention.methods.relevance import attention_relevance
from deit_core.attention.methods.table import METHODS
from deit_core.models import ResNet9


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
