"""Random erasing: a rectangle of an image becomes noise. Knows pixels in [0, 1]; nothing of what else is done to them.

    V views drawn for an epoch, B batch, C channels, S img_size

Source: Zhong et al. 2020 (arXiv:1708.04896), with the bounds of torchvision's RandomErasing. As in the paper each pixel
becomes uniform noise; timm's "pixel" mode takes normal noise around the data's mean.
"""

import math

import torch
from torch import Tensor

from deit_core.randomness import Purpose, counter_seed

_AREA = (0.02, 0.33)  # of the image
_RATIO = (0.3, 3.3)  # of height to width


def draw_boxes(num_views: int, probability: float, img_size: int, seed: int, epoch: int) -> Tensor:
    """A box (V, 4) for each view: top, bottom, left, right in pixels, the second and fourth exclusive.

    Where nothing is erased it is empty.
    """
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.ERASING))

    def uniform(low: float, high: float, count: int) -> Tensor:
        return torch.empty(count).uniform_(low, high, generator=generator)

    is_erased = torch.rand(num_views, generator=generator) < probability
    height = torch.full((num_views,), img_size)
    width = height.clone()
    while len(missing := ((height >= img_size) | (width >= img_size)).nonzero()[:, 0]):
        area = uniform(*_AREA, len(missing)) * img_size**2
        ratio = uniform(math.log(_RATIO[0]), math.log(_RATIO[1]), len(missing)).exp()
        height[missing], width[missing] = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    top, left = (
        (torch.rand(num_views, generator=generator) * (img_size - side + 1)).long() for side in (height, width)
    )
    return torch.stack([top, top + height * is_erased, left, left + width * is_erased], dim=1)


def draw_noise(num_views: int, img_size: int, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
    """Noise (3, 2 S, 2 S) uint8 for an epoch, and the top left corner (V, 2) of each view's own window into it.

    So a GPU fills boxes with the same noise as a CPU, and draws nothing.
    """
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.ERASING_NOISE))
    noise = torch.randint(256, (3, 2 * img_size, 2 * img_size), dtype=torch.uint8, generator=generator)
    return noise, torch.randint(img_size + 1, (num_views, 2), generator=generator)


def erase(pixels: Tensor, boxes: Tensor, seed: int, epoch: int, step: int) -> Tensor:
    """Fill the boxes (B, 4) of pixels (B, C, S, S) with noise, which is drawn on their device."""
    generator = torch.Generator(pixels.device).manual_seed(counter_seed(seed, epoch, Purpose.ERASING_NOISE, step))
    noise = torch.rand(pixels.shape, device=pixels.device, generator=generator)
    span = torch.arange(pixels.shape[-1], device=pixels.device)
    top, bottom, left, right = boxes[:, :, None].unbind(1)
    inside = ((span >= top) & (span < bottom))[:, None, :, None] & ((span >= left) & (span < right))[:, None, None, :]
    return torch.where(inside, noise, pixels)
