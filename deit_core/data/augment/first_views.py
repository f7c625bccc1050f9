"""Views of the first pixel version, for runs that began with it: RandAugment by torchvision, the rest by floats.

`epoch_views` has those of new runs, and says what they have in common.

    V views drawn for an epoch, P places in its batches, B batch, C channels, S img_size
"""

import torch
from torch import Tensor

from deit_core.data.augment.color_jitter import draw_factors, jitter
from deit_core.data.augment.crop_and_flip import crop, draw_views, to_pixels
from deit_core.data.augment.erasing import draw_boxes, erase
from deit_core.data.augment.resized_crop import draw_regions, resized_crop
from deit_core.spec import AugmentSpec


class FirstViews:
    """The views of one epoch, drawn at once and made one batch at a time.

    Args:
        num_views: how many are drawn, one for each showing of an image.
        shown: (P,) on the CPU, which of them each place of the epoch's batches shows.
        batch_size: places of a batch.
    """

    def __init__(
        self,
        spec: AugmentSpec,
        num_views: int,
        shown: Tensor,
        img_size: int,
        seed: int,
        epoch: int,
        device: torch.device,
        batch_size: int,
    ) -> None:
        self.spec, self.img_size, self.seed, self.epoch, self._batch_size = spec, img_size, seed, epoch, batch_size
        crops = draw_views(num_views, spec, seed, epoch)[shown]
        self.numbers = crops.numbers(spec)  # (P,) on the CPU
        self._crops = crops.to(device)
        if spec.resized_crop:
            self._regions = draw_regions(num_views, spec.resized_crop, seed, epoch)[shown].to(device)
        if spec.randaugment_ops:
            from deit_core.data.augment.rand_augment import draw_operations

            self._operations = draw_operations(num_views, spec.randaugment_ops, seed, epoch)[shown]
        if spec.color_jitter:
            self._factors = draw_factors(num_views, spec.color_jitter, seed, epoch)[shown].to(device)
        if spec.random_erasing:
            self._boxes = draw_boxes(num_views, spec.random_erasing, img_size, seed, epoch)[shown].to(device)

    def make(self, padded: Tensor, indices: Tensor, places: slice) -> Tensor:
        """Pixels (B, C, S, S) in [0, 1] of the batch at these places.

        Args:
            padded: (N, C, S + 2p, S + 2p) uint8, all images with black around them.
            indices: (B,) on the same device, the images of the batch.
        """
        step = places.start // self._batch_size
        images = crop(padded, indices, self._crops[places], self.img_size)
        if self.spec.resized_crop:
            images = resized_crop(images, self._regions[places])
        if self.spec.randaugment_ops:
            from deit_core.data.augment.rand_augment import rand_augment

            images = rand_augment(images, self._operations[places], self.spec.randaugment_magnitude)
        pixels = to_pixels(images)
        if self.spec.color_jitter:
            pixels = jitter(pixels, self._factors[places], self.seed, self.epoch, step)
        if self.spec.random_erasing:
            pixels = erase(pixels, self._boxes[places], self.seed, self.epoch, step)
        return pixels
