"""Grad-CAM of the CNN teacher: the numbers of pytorch-grad-cam, laid over the pixels that they stand for."""

import copy
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deit_core import torchvision_ops  # noqa: F401  # before pytorch_grad_cam, which imports torchvision
from deit_core.attention.methods.gradcam import grad_cam
from deit_core.models import ResNet9, VisionTransformer
from deit_core.models.torchvision_classifier import TorchvisionClassifier

from pytorch_grad_cam import GradCAM  # isort: skip
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # isort: skip

STRIDES = ResNet9.strides
SIZES = [(28, 28), (32, 32), (17, 30), (8, 9)]

every_layer = pytest.mark.parametrize("layer", list(STRIDES))
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def model_of(dtype: torch.dtype = torch.float32) -> ResNet9:
    torch.manual_seed(0)
    model = ResNet9(in_chans=2, num_classes=5, width=6)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):  # as after training: nothing at 0 or 1
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.3)
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 1.5)
    return model.to(dtype).eval()


def images_of(size: tuple[int, int] = (28, 28), dtype: torch.dtype = torch.float32, batch: int = 3) -> Tensor:
    return torch.randn(batch, 2, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


@torch.no_grad()
@every_size
def test_stages_do_not_change_the_logits(size: tuple[int, int]) -> None:
    model, images = model_of(), images_of(size)
    x = model.layer3(model.layer2(model.layer1(model.stem(images))))
    assert torch.equal(model.forward_features(images), x)
    assert torch.equal(model(images), model.head(model.pool(x).flatten(1)))
    assert torch.equal(model(images), model.forward_head(model.forward_features(images)))
    for name, features in model.forward_stages(images).items():
        assert features.shape[2:] == (size[0] // STRIDES[name], size[1] // STRIDES[name])
    assert {name.split(".")[0] for name in model.state_dict()} == {"stem", "layer1", "layer2", "layer3", "head"}


@torch.no_grad()
@every_layer
def test_a_cell_stands_for_the_pixels_under_it(layer: str) -> None:
    """Poolings alone, without what convolutions add around, carry a pixel to the cell whose square holds it."""
    stride = STRIDES[layer]
    poolings = nn.Sequential(
        *[module for module in model_of().modules() if isinstance(module, nn.MaxPool2d)][: stride.bit_length() - 1]
    )
    for row, column in ((0, 0), (7, 16), (13, 23), (27, 27)):
        image = torch.zeros(1, 1, 28, 28)
        image[0, 0, row, column] = 1
        cells = poolings(image)[0, 0].repeat_interleave(stride, 0).repeat_interleave(stride, 1)
        inside = row < cells.shape[0] and column < cells.shape[1]
        assert cells.any() == inside
        assert not inside or cells[row, column] == 1


@every_size
@every_layer
def test_equals_pytorch_grad_cam_up_to_the_scale(layer: str, size: tuple[int, int]) -> None:
    model, images, targets = model_of(torch.float64), images_of(size, torch.float64), torch.tensor([0, 4, 2])
    asked = [ClassifierOutputTarget(target) for target in targets.tolist()]
    theirs = copy.deepcopy(model)
    with GradCAM(theirs, [getattr(theirs, layer)]) as cam:
        cam(images, asked)
        kept = cam.activations_and_grads
        cells = cam.get_cam_image(
            images, cam.target_layers[0], asked, kept.activations[0].numpy(), kept.gradients[0].numpy()
        )
    cells = np.maximum(cells, 0)
    stride = STRIDES[layer]
    expected = np.zeros((3, *size))
    for row, column in np.ndindex(*cells.shape[1:]):
        square = np.s_[:, row * stride : (row + 1) * stride, column * stride : (column + 1) * stride]
        expected[square] = cells[:, row, column, None, None]
    sums = expected.sum((1, 2), keepdims=True)
    assert (sums > 0).any()
    expected = np.divide(expected, sums, out=np.zeros_like(expected), where=sums > 0)
    found = grad_cam(model, images, target=targets, layer=layer)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)


def test_the_map_is_in_pixels_and_sums_to_one() -> None:
    maps = grad_cam(model_of(), images_of())
    assert maps.shape == (3, 28, 28)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert (maps >= 0).all()
    torch.testing.assert_close(maps.sum((1, 2)), torch.ones(3))
    assert not maps[:, 24:].any()
    assert not maps[:, :, 24:].any()
    cells = maps[:, :24, :24].unfold(1, 8, 8).unfold(2, 8, 8).flatten(3)
    assert torch.equal(cells.amin(-1), cells.amax(-1))


def test_layer3_is_the_default_and_stages_differ() -> None:
    model, images = model_of(), images_of()
    maps = {layer: grad_cam(model, images, layer=layer) for layer in STRIDES}
    assert torch.equal(grad_cam(model, images), maps["layer3"])
    assert not torch.allclose(maps["layer1"], maps["layer2"])


@pytest.mark.parametrize(("name", "module"), [("resnet18", "layer4"), ("regnet_y_400mf", "trunk_output")])
def test_torchvisions_networks_equal_pytorch_grad_cam_too(name: str, module: str) -> None:
    """Grey images of 30 x 40 pixels, resized to 64: two by two cells, each a quarter of the image."""
    torch.manual_seed(0)
    model = TorchvisionClassifier(name, in_chans=1, num_classes=5, input_size=64, normalises=True).double().eval()
    images, targets = torch.rand(2, 1, 30, 40, dtype=torch.float64), torch.tensor([0, 4])
    with torch.no_grad():
        torch.testing.assert_close(model.forward_head(model.forward_stages(images)["last"]), model(images))
    ours = grad_cam(model, images, target=targets)
    assert ours.shape == (2, 30, 40)
    theirs = copy.deepcopy(model)
    with GradCAM(theirs, [theirs.network.get_submodule(module)]) as cam:
        cam(images, [ClassifierOutputTarget(target) for target in targets.tolist()])
        stored = cam.activations_and_grads
        cells = cam.get_cam_image(
            images, cam.target_layers[0], None, stored.activations[0].numpy(), stored.gradients[0].numpy(), False
        )
    cells = torch.from_numpy(np.maximum(cells, 0))
    expected = cells.repeat_interleave(15, -2).repeat_interleave(20, -1)
    expected = expected / expected.sum((-2, -1), keepdim=True).clamp_min(1e-300)
    torch.testing.assert_close(ours, expected.to(ours.dtype), rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="There is no layer 'layer4'; choose last"):
        grad_cam(model, images, layer="layer4")


@every_layer
def test_the_map_follows_the_class(layer: str) -> None:
    model, images = model_of(), images_of(batch=8)
    predicted = model(images).argmax(-1)
    own = grad_cam(model, images, layer=layer)
    assert torch.equal(own, grad_cam(model, images, layer=layer, target=predicted))
    assert (own - grad_cam(model, images, layer=layer, target=(predicted + 1) % 5)).abs().sum() > 0.1


def test_nothing_positive_gives_an_empty_map() -> None:
    model = model_of()
    with torch.no_grad():  # layer3 gives sums of what ReLU lets through
        model.head.weight[3] = -model.head.weight[3].abs() - 0.01
        model.head.weight[0] = model.head.weight[0].abs() + 0.01
    maps = grad_cam(model, images_of(), target=torch.tensor([3, 0, 3]))
    assert torch.equal(maps[[0, 2]], torch.zeros(2, 28, 28))
    torch.testing.assert_close(maps[1].sum(), torch.tensor(1.0))


def test_a_batch_equals_its_images_one_by_one() -> None:
    model, images, target = model_of(torch.float64), images_of(dtype=torch.float64), torch.tensor([2, 2, 0])
    batch = grad_cam(model, images, target=target)
    for index in range(3):
        one = slice(index, index + 1)
        torch.testing.assert_close(batch[one], grad_cam(model, images[one], target=target[one]), rtol=0, atol=1e-12)


def test_a_call_leaves_nothing_behind() -> None:
    model, images = model_of(), images_of()
    before = copy.deepcopy(model.state_dict())
    first = grad_cam(model, images)
    assert torch.equal(first, grad_cam(model, images))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not images.requires_grad
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


def test_works_where_the_caller_wants_no_gradients() -> None:
    model, images = model_of(), images_of()
    expected = grad_cam(model, images)
    with torch.no_grad():
        assert torch.equal(grad_cam(model, images), expected)
    with torch.inference_mode():
        assert torch.equal(grad_cam(model, images.clone(), target=model(images).argmax(-1)), expected)
    model.requires_grad_(False)
    assert torch.equal(grad_cam(model, images), expected)
    assert torch.equal(grad_cam(model, images.double()), expected)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"query": "class"}, 'A CNN has one output and no tokens to query; leave query at "head".'),
        ({"query": 3}, "no tokens to query"),
        ({"query": torch.ones(3)}, "no tokens to query"),
        ({"layer": "layer4"}, "There is no layer 'layer4'; choose layer1, layer2, layer3."),
        ({"target": torch.tensor([0, 1, 5])}, "target must be 3 class indices from 0 to 4, one per image"),
        ({"images": torch.zeros(2, 28, 28)}, "shape (2, height, width) in a batch, at least 8 px high and wide, not"),
        ({"images": torch.zeros(3, 1, 28, 28)}, "not (3, 1, 28, 28)"),
        ({"images": torch.zeros(3, 2, 28, 7)}, "at least 8 px high and wide, not (3, 2, 28, 7)"),
        ({"images": torch.zeros(0, 2, 28, 28)}, "There are no images"),
        ({"images": torch.zeros(3, 2, 28, 28, dtype=torch.uint8)}, "must be floating point"),
        ({"images": torch.full((3, 2, 28, 28), float("nan"))}, "output holds NaN or infinite values"),
        ({"model": ResNet9(2, 5, width=4)}, "train mode"),
        ({"model": VisionTransformer(28, 7, 2, 5, 12, 1, 3).eval()}, "a VisionTransformer has none; choose attention_"),
    ],
    ids=str,
)
def test_what_it_cannot_explain_is_refused(change: dict[str, Any], says: str) -> None:
    given = {"model": model_of(), "images": images_of()} | change
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        grad_cam(given.pop("model"), given.pop("images"), **given)
    assert str(caught.value).endswith(".")
