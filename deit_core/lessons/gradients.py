"""What goes through the blocks of a ViT before training: the gradient on its way down, and the tokens on their way up.

B images, L blocks, N tokens
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from deit_core.data.sources.resizing import resize
from deit_core.lessons.patches import Images
from deit_core.models import VisionTransformer, build_student
from deit_core.spec import RunSpec


class Passage(NamedTuple):
    """gradients: the length of each block's gradient, the first block first (L).

    alike: how alike the tokens of an image are at the input and after each block (L + 1): the mean cosine of two
        different ones. At 1 all are the same, and no block above can tell them apart.
    """

    gradients: list[float]
    alike: list[float]


def at_the_start(spec: RunSpec, images: Images, labels: NDArray[np.int64], num_classes: int) -> Passage:
    """Of the model of a spec before its first step, as its seed initialises it.

    Args: images: (B, C, S, S) uint8 of any size, which are resized as for training; labels: (B,).
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(spec.seed)
        model = build_student(spec, in_chans=images.shape[1], num_classes=num_classes).eval()
    pixels = resize(torch.from_numpy(images), spec.data.img_size).float() / 255
    pixels = (pixels - pixels.mean()) / pixels.std()
    return Passage(gradient_by_block(model, pixels, torch.from_numpy(labels)), token_likeness(model, pixels))


def gradient_by_block(model: VisionTransformer, pixels: Tensor, labels: Tensor) -> list[float]:
    """The length of the gradient of the cross-entropy by the weights of each block, the first block first.

    Args:
        pixels: (B, C, S, S), normalised as in training.
        labels: (B,) the true classes.
    """
    with torch.enable_grad():
        loss = F.cross_entropy(model(pixels), labels)
        weights = [list(block.parameters()) for block in model.blocks]
        gradients = iter(torch.autograd.grad(loss, [weight for block in weights for weight in block]))
    return [float(torch.stack([next(gradients).norm() for _ in block]).norm()) for block in weights]


@torch.no_grad()
def token_likeness(model: VisionTransformer, pixels: Tensor) -> list[float]:
    """The mean cosine of two different tokens of an image, at the input and after each block.

    Source: without skip connections attention makes all tokens alike, Dong et al. 2021 (arXiv:2103.03404).
    """
    likeness = []
    for tokens in model.tokens_by_depth(pixels):
        directions = F.normalize(tokens, dim=-1)
        cosines, count = directions @ directions.mT, tokens.shape[1]  # B N N
        likeness.append(float((cosines.sum((1, 2)) - count).mean() / (count * (count - 1))))
    return likeness
