"""How large the gradient of the loss is in each block of a ViT.

B images, L blocks
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from deit_core.attention import Viewer
from deit_core.data.sources.resizing import resize
from deit_core.lessons.patches import Images
from deit_core.models import VisionTransformer, build_model
from deit_core.spec import RunSpec


def gradient_by_block(model: VisionTransformer, pixels: torch.Tensor, labels: NDArray[np.int64]) -> list[float]:
    """The length of the gradient of the cross-entropy by the weights of each block, the first block first.

    Args:
        pixels: (B, C, S, S), normalised as in training.
        labels: (B,) the true classes.
    """
    with torch.enable_grad():
        output = model(pixels)
        loss = F.cross_entropy(output, torch.from_numpy(labels))
        lengths = []
        for block in model.blocks:
            gradients = torch.autograd.grad(loss, list(block.parameters()), retain_graph=True)
            lengths.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
    return lengths


def at_the_start(spec: RunSpec, images: Images, labels: NDArray[np.int64], num_classes: int) -> list[float]:
    """`gradient_by_block` of the model of a spec before its first step, as its seed initialises it.

    Args: images: (B, C, S, S) uint8 of any size, which are resized as for training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(spec.seed)
        model = build_model(spec, in_chans=images.shape[1], num_classes=num_classes).eval()
    assert isinstance(model, VisionTransformer)
    pixels = resize(torch.from_numpy(images), spec.data.img_size).float() / 255
    return gradient_by_block(model, (pixels - pixels.mean()) / pixels.std(), labels)


def of_trained(viewer: Viewer, images: Images, labels: NDArray[np.int64]) -> list[float]:
    """`gradient_by_block` of a trained model."""
    assert isinstance(viewer.model, VisionTransformer)
    return gradient_by_block(viewer.model, viewer.card.normalise(torch.from_numpy(images)), labels)


def ratio(lengths: list[float]) -> float:
    """The gradient of the last block divided by that of the first: how much is lost on the way down."""
    return lengths[-1] / lengths[0] if lengths[0] else float("inf")
