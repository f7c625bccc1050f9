"""What a method that asks a transformer cannot explain, and the sentence that says so."""

import re
from typing import Any

import pytest
import torch
from explained_vit import Explain, every_method, gradient_methods, images_of, model_of
from torch import Tensor, nn

from deit_core.models import ResNet9


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
