"""Other people's tools explain our transformers by their own recipes, unchanged: pytorch-grad-cam and Captum.

A ViT's tokens become a picture by dropping `num_prefix_tokens` of them; nothing else about our models has to be known.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from deit_core import torchvision_ops  # noqa: F401  # before the two tools, which import torchvision
from deit_core.models import VisionTransformer

from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, LayerGradientXActivation  # isort: skip
from pytorch_grad_cam import GradCAM, HiResCAM  # isort: skip
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # isort: skip

GRIDS = {"square": {"img_size": 28, "patch_size": 4}, "rectangular": {"img_size": (24, 40), "patch_size": 8}}


@pytest.fixture(params=[False, True], ids=["plain", "distilled"])
def distilled(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=GRIDS.values(), ids=GRIDS)
def model(request: pytest.FixtureRequest, distilled: bool) -> Iterator[VisionTransformer]:
    torch.manual_seed(0)
    model = VisionTransformer(
        **request.param, in_chans=3, num_classes=7, embed_dim=24, depth=3, num_heads=3, distilled=distilled
    ).eval()
    yield model
    assert not any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks for module in model.modules()
    ), "a tool left its hooks behind"


@pytest.fixture
def images(model: VisionTransformer) -> Tensor:
    return torch.randn(2, 3, *model.img_size, generator=torch.Generator().manual_seed(1))


def reshape_transform(model: VisionTransformer) -> Callable[[Tensor], Tensor]:
    """Tokens (B, N, D) -> (B, D, gh, gw), as the tools' ViT recipes ask for."""

    def reshape(tokens: Tensor) -> Tensor:
        patches = tokens[:, model.num_prefix_tokens :].unflatten(1, model.grid_size)
        return patches.permute(0, 3, 1, 2)

    return reshape


def is_map_of(maps: np.ndarray | Tensor, model: VisionTransformer, other: np.ndarray | Tensor) -> None:
    maps, other = np.asarray(maps), np.asarray(other)
    assert maps.shape == (2, *model.img_size)
    assert np.isfinite(maps).all()
    assert (maps.max(axis=(1, 2)) > maps.min(axis=(1, 2))).all()
    assert np.abs(maps - other).max() > 0.1 * np.abs(maps).max(), "another class gives another map"


def test_pytorch_grad_cam(model: VisionTransformer, images: Tensor) -> None:
    with GradCAM(model, [model.blocks[-1].norm1], reshape_transform=reshape_transform(model)) as cam:
        maps, other = (cam(images, [ClassifierOutputTarget(target)] * 2) for target in (1, 2))
    is_map_of(maps, model, other)
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_captum_layer_attribution(model: VisionTransformer, images: Tensor) -> None:
    explain = LayerGradientXActivation(model, model.blocks[-1].norm1)
    reshape, height_width = reshape_transform(model), model.img_size

    def map_of(target: int) -> Tensor:
        patches = reshape(explain.attribute(images, target=target)).sum(1, keepdim=True)
        return LayerAttribution.interpolate(patches, height_width, "bilinear")[:, 0].detach()

    is_map_of(map_of(1), model, map_of(2))


def test_captum_grad_cam_of_the_patches(model: VisionTransformer, images: Tensor) -> None:
    explain = LayerGradCam(model, model.patch_embed.proj)  # the one layer whose output is a picture as it is

    def map_of(target: int) -> Tensor:
        cells = explain.attribute(images, target=target)
        assert cells.shape == (2, 1, *model.grid_size)
        return LayerAttribution.interpolate(cells, model.img_size)[:, 0].detach()

    is_map_of(map_of(1), model, map_of(2))


def test_both_tools_read_the_same_numbers(model: VisionTransformer, images: Tensor) -> None:
    layer, reshape, targets = model.blocks[-1].norm1, reshape_transform(model), [ClassifierOutputTarget(3)] * 2
    with HiResCAM(model, [layer], reshape_transform=reshape) as cam:
        cam(images, targets)
        kept = cam.activations_and_grads
        theirs = cam.get_cam_image(
            images, layer, targets, kept.activations[0].numpy(), kept.gradients[0].numpy(), eigen_smooth=False
        )
    captums = reshape(LayerGradientXActivation(model, layer).attribute(images, target=3)).sum(1)
    np.testing.assert_allclose(theirs, captums.detach().numpy(), atol=1e-6)


def test_captum_integrated_gradients_are_complete(model: VisionTransformer, images: Tensor) -> None:
    """What the pixels are given adds up to how far the logit lies above that of a grey image."""
    target = torch.tensor([2, 5])
    shares, delta = IntegratedGradients(model).attribute(
        images, baselines=torch.zeros_like(images), target=target, n_steps=128, return_convergence_delta=True
    )
    assert shares.shape == images.shape
    with torch.no_grad():
        rise = (model(images) - model(torch.zeros_like(images)))[torch.arange(2), target]
    assert rise.abs().max() > 0.3
    assert delta.abs().max() < 0.002
    torch.testing.assert_close(shares.sum((1, 2, 3)).float(), rise, rtol=0, atol=0.002)
