"""All that augmentation does to single images, in the order of the DeiT recipe: crop and flip, RandAugment, colour
jitter, random erasing. Mixing images comes after, and is not known here.

Every draw is a function of (seed, epoch) and the number of the view, so an epoch can be entered anywhere.

    V views drawn for an epoch, B batch, C channels, S img_size
"""

import torch
from torch import Tensor

from deit_core.data.augment import crop, draw_views
from deit_core.data.color_jitter import draw_factors, jitter
from deit_core.data.erasing import draw_boxes, erase
from deit_core.spec import AugmentSpec


class EpochViews:
    """The views of one epoch, drawn at once and made a batch at a time.

    Args: num_views: how many are drawn, one for each showing of an image.
    """

    def __init__(
        self, spec: AugmentSpec, num_views: int, img_size: int, seed: int, epoch: int, device: torch.device
    ) -> None:
        self.spec, self.img_size, self.seed, self.epoch = spec, img_size, seed, epoch
        drawn = draw_views(num_views, spec, seed, epoch)
        self.numbers = drawn.numbers(spec)  # (V,) on the CPU
        self._crops = drawn.to(device)
        if spec.rand_augment_ops:
            from deit_core.data.rand_augment import draw_operations  # torchvision takes a second to load

            self._operations = draw_operations(num_views, spec.rand_augment_ops, seed, epoch)
        if spec.color_jitter:
            self._factors = draw_factors(num_views, spec.color_jitter, seed, epoch).to(device)
        if spec.random_erasing:
            self._boxes = draw_boxes(num_views, spec.random_erasing, img_size, seed, epoch).to(device)

    def make(self, padded: Tensor, indices: Tensor, views: Tensor, step: int) -> Tensor:
        """Pixels (B, C, S, S) in [0, 1] of views (B,), on the CPU, of images `indices` (B,), on the device of `padded`.

        Args:
            padded: (N, C, S + 2p, S + 2p) uint8, all images with black around them.
            step: number of the batch in the epoch.
        """
        places = views.to(padded.device)
        images = crop(padded, indices, self._crops[places], self.img_size)
        if self.spec.rand_augment_ops:
            from deit_core.data.rand_augment import rand_augment

            images = rand_augment(images, self._operations, views, self.spec.rand_augment_magnitude)
        pixels = to_pixels(images)
        if self.spec.color_jitter:
            pixels = jitter(pixels, self._factors[places], self.seed, self.epoch, step)
        if self.spec.random_erasing:
            pixels = erase(pixels, self._boxes[places], self.seed, self.epoch, step)
        return pixels


def to_pixels(images: Tensor) -> Tensor:
    """uint8 -> float in [0, 1]."""
    return images.float().div_(255)
