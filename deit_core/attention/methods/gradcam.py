"""Grad-CAM: which cells of a CNN's features, or which patches of a timm ViT, support a class.

Knows our own CNNs, and of others that they have stages; nothing of attention, files or pages. Reads the features on
their way to the logits: no hooks, and no parameter's `.grad` is touched.

Shapes: B batch, C channels, gh x gw cells of a stage, K classes
"""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.attention.flow.query import Query
from deit_core.attention.methods.explain import begin_graph, logit_of, sum_to_one, target_class, to_model
from deit_core.errors import DeitError
from deit_core.models.cnn import Cnn


@runtime_checkable
class Staged(Protocol):
    """A network whose stages can be read; the last one is what its head reads."""

    in_chans: int

    def forward_stages(self, x: Tensor) -> dict[str, Tensor]: ...

    def forward_head(self, features: Tensor) -> Tensor: ...


@runtime_checkable
class Tokenised(Protocol):
    """A network whose stages may be tokens (B, N, D): puts the patches among them in rows and columns."""

    def patches(self, tokens: Tensor) -> Tensor: ...


@torch.inference_mode(False)  # a caller may be in it, and only leaving it brings autograd back
@torch.enable_grad()
def grad_cam(
    model: nn.Module,
    images: Tensor,
    *,
    query: Query = "head",
    target: Tensor | None = None,
    layer: str | None = None,
) -> Tensor:
    """Weigh each channel of a stage by the mean gradient of the class's logit; keep where their sum is positive.

    A cell of a ResNet9's "layer3" stands for 8 x 8 pixels, so 28 x 28 pixels have 3 x 3 cells; the 4 rows and columns
    that fill none are pooled away and count through their neighbours alone. The map therefore comes in pixels: each
    cell over the square that it stands for, 0 beyond. Networks of torchvision and timm pad: there the cells share the
    image. Of a ViT of timm's the patches before the last block are the cells.

    Args:
        model: a ResNet9, a PlainCnn, a TorchvisionClassifier, or a CNN or ViT as a TimmClassifier, in eval mode.
        images: (B, C, height, width) floating point, normalised as in training.
        query: "head"; a CNN has no other output.
        target: (B,) class indices; None takes the class that the model predicts.
        layer: the stage that is read, of a ResNet9 "layer1", "layer2" or "layer3", of a PlainCnn the first two; None:
            the last, as in the paper.
    Returns: (B, height, width), scaled to sum to 1, so that times height * width it reads "x uniform"; all 0 where
        nothing is positive. In float32 (float64 for a float64 model).
    Raises: ValueError for a model that is no such CNN or is in train mode, images that it cannot read, a stage, query
        or class that does not exist, or an output that is not finite.
    Source: Selvaraju et al. 2017 (arXiv:1610.02391).
    """
    if not isinstance(model, Staged):
        raise DeitError(
            f"Grad-CAM here reads the features of a CNN, and a {type(model).__name__} has none; choose "
            "attention_relevance for a ViT or a DeiT, and a ResNet9, a PlainCnn, a TorchvisionClassifier or a "
            "TimmClassifier among the CNNs."
        )
    if not isinstance(query, str) or query != "head":
        raise DeitError('A CNN has one output and no tokens to query; leave query at "head".')
    smallest = max(model.strides.values()) if isinstance(model, Cnn) else 1
    if images.ndim != 4 or images.shape[1] != model.in_chans or min(images.shape[2:]) < smallest:
        raise DeitError(
            f"The model reads images of shape ({model.in_chans}, height, width) in a batch, at least {smallest} px "
            f"high and wide, not {tuple(images.shape)}."
        )
    stages = model.forward_stages(begin_graph(to_model(model, images)))
    *_, last = stages
    layer = layer or last
    if layer not in stages:
        raise DeitError(f"There is no layer {layer!r}; choose {', '.join(stages)}.")
    output = model.forward_head(stages[last])
    logits = logit_of(target_class(output, target), output)
    (gradient,) = torch.autograd.grad(output, stages[layer], grad_outputs=logits)
    dtype = torch.promote_types(output.dtype, torch.float32)
    features, gradient = (_cells(model, one.detach().to(dtype)) for one in (stages[layer], gradient))
    cells = torch.einsum("bc,bcij->bij", gradient.mean((-2, -1)), features).relu()
    size = images.shape[-2:]
    return sum_to_one(_spread(cells, model.strides[layer], size) if isinstance(model, Cnn) else _share(cells, size))


def _cells(model: nn.Module, features: Tensor) -> Tensor:
    """Features or their gradient in rows and columns, (B, chans, gh, gw)."""
    if features.ndim == 4:
        return features
    assert isinstance(model, Tokenised)
    return model.patches(features)


def _spread(cells: Tensor, stride: int, size: torch.Size) -> Tensor:
    """Cells (B, gh, gw) -> pixels (B, height, width)."""
    pixels = cells.repeat_interleave(stride, -2).repeat_interleave(stride, -1)
    return F.pad(pixels, (0, size[1] - pixels.shape[-1], 0, size[0] - pixels.shape[-2]))


def _share(cells: Tensor, size: torch.Size) -> Tensor:
    """Cells (B, gh, gw) -> pixels (B, height, width), each of the cell that it lies in."""
    return F.interpolate(cells.unsqueeze(1), tuple(size), mode="nearest-exact").squeeze(1)
