"""Colour jitter: brightness, contrast and saturation of each image, each with its own factor.

The formulas are those of torchvision's ColorJitter, which has one factor for a whole batch. Knows pixels in [0, 1];
nothing of what else is done to them.

    V views drawn for an epoch, B batch, C channels, S img_size
"""

import torch
from torch import Tensor

from deit_core.randomness import Purpose, counter_seed

_LUMA = (0.2989, 0.587, 0.114)  # of red, green and blue, as in torchvision


def draw_factors(num_views: int, strength: float, seed: int, epoch: int) -> Tensor:
    """Three factors (V, 3) for each view, uniform in 1 - strength .. 1 + strength, never negative."""
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.COLOUR_JITTER))
    return torch.empty(num_views, 3).uniform_(max(0.0, 1 - strength), 1 + strength, generator=generator)


def draw_orders(num_views: int, seed: int, epoch: int) -> Tensor:
    """In which order (V, 3) each view's brightness, contrast and saturation change."""
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.JITTER_ORDER))
    return torch.rand(num_views, 3, generator=generator).argsort(1)


def jitter(pixels: Tensor, factors: Tensor, seed: int, epoch: int, step: int) -> Tensor:
    """Change pixels (B, C, S, S) by factors (B, 3); the three follow each other in an order drawn for the batch."""
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.JITTER_ORDER, step))
    changes = (adjust_brightness, adjust_contrast, adjust_saturation)
    for which in torch.randperm(3, generator=generator).tolist():
        pixels = changes[which](pixels, factors[:, which])
    return pixels


def adjust_brightness(pixels: Tensor, factors: Tensor) -> Tensor:
    return _blend(pixels, torch.zeros_like(pixels), factors)


def adjust_contrast(pixels: Tensor, factors: Tensor) -> Tensor:
    return _blend(pixels, _grey(pixels).mean((-3, -2, -1), keepdim=True), factors)


def adjust_saturation(pixels: Tensor, factors: Tensor) -> Tensor:
    return _blend(pixels, _grey(pixels), factors) if pixels.shape[1] == 3 else pixels


def _grey(pixels: Tensor) -> Tensor:
    if pixels.shape[1] != 3:
        return pixels
    return (pixels * pixels.new_tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True)


def _blend(pixels: Tensor, origin: Tensor, factors: Tensor) -> Tensor:
    """As far from the origin as the factors say, cut to [0, 1]."""
    by = factors[:, None, None, None]
    return (pixels * by + origin * (1 - by)).clamp_(0, 1)
