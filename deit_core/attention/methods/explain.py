"""What all methods share that need the model, not only its attention: images made ready, the class, the scale of a map.

Knows neither attention nor features.

Shapes: B batch, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.errors import DeitError
from deit_core.models import VisionTransformer


def to_model(model: nn.Module, images: Tensor) -> Tensor:
    """Images on the model's device and in its dtype.

    Raises: ValueError if the model, or a part of it, is in train mode, or there are no images, or they are not floating
        point.
    """
    if any(module.training for module in model.modules()):
        raise DeitError("The model is in train mode, where dropout makes each pass different; call model.eval() first.")
    if not len(images):
        raise DeitError("There are no images to explain; give at least one.")
    if not images.is_floating_point():
        raise DeitError(f"The images must be floating point, normalised as in training, not {images.dtype}.")
    return images.to(next(model.parameters()))


def to_transformer(model: nn.Module, images: Tensor) -> tuple[VisionTransformer, Tensor]:
    """The model as the transformer that it is, and images on its device and in its dtype.

    Raises: ValueError, as `to_model`; also for another family of models, or images of another shape than it reads.
    """
    if not isinstance(model, VisionTransformer):
        raise DeitError(
            f"A {type(model).__name__} has no attention that can be read; choose grad_cam for a CNN, or another model: "
            "a ViT or a DeiT."
        )
    expected = (model.in_chans, *model.img_size)
    if images.ndim != 4 or images.shape[1:] != expected:
        raise DeitError(
            f"The model reads images of shape {expected} in a batch, not {tuple(images.shape)}; use fit_image."
        )
    return model, to_model(model, images)


def begin_graph(images: Tensor) -> Tensor:
    """A copy at which autograd begins, so that there is a graph even where no weight asks for a gradient."""
    return images.clone().detach().requires_grad_()


def check_logits(logits: Tensor) -> None:
    """Raises: ValueError if the model's answer holds NaN or infinite values."""
    if not logits.isfinite().all():
        raise DeitError(
            "The model's output holds NaN or infinite values; choose an earlier epoch of its run, or check the images."
        )


def target_class(output: Tensor, target: Tensor | None) -> Tensor:
    """The class that each image is explained for.

    Args:
        output: (B, K) logits of the model's output.
        target: (B,) class indices; None takes the class that `output` predicts.
    Returns: (B,) class indices.
    Raises: ValueError if `output` is not finite, or `target` does not name a class for each image.
    """
    check_logits(output)
    batch, num_classes = output.shape
    chosen = output.argmax(-1) if target is None else torch.as_tensor(target, device=output.device)
    integral = not (chosen.is_floating_point() or chosen.is_complex() or chosen.dtype == torch.bool)
    if not integral or chosen.shape != (batch,) or ((chosen < 0) | (chosen >= num_classes)).any():
        raise DeitError(
            f"target must be {batch} class indices from 0 to {num_classes - 1}, one per image; None takes the class "
            "that the model predicts."
        )
    return chosen.long()


def logit_of(target: Tensor, output: Tensor) -> Tensor:
    """One-hot rows (B, K) of the classes `target` (B,), in the dtype of `output`.

    As `grad_outputs` they give the gradient of the sum over images of each image's own target logit. In eval mode
    images do not meet, so that is each image's own gradient.
    """
    return F.one_hot(target, output.shape[-1]).to(output.dtype)


def sum_to_one(maps: Tensor) -> Tensor:
    """Scale maps (B, gh, gw) >= 0 to sum to 1 each; one without anything positive stays all 0."""
    total = maps.sum((-2, -1), keepdim=True)
    return torch.where(total < torch.finfo(total.dtype).tiny, 0, maps / total)
