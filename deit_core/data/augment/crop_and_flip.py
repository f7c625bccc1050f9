"""Random views of images, one batch at a time: padded crop and horizontal flip.

A view is drawn for every image of the split from a counter, (seed, epoch): it does not depend on the order of the
batches, on what else draws random numbers, or on the device. Two runs with one seed see the same views.

    N images of the split, B batch, C channels, S img_size
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deit_core.randomness import Purpose, counter_seed
from deit_core.spec import AugmentSpec


@dataclass(frozen=True, eq=False)
class Views:
    """For each image the crop's offset (N,) in 0..2*padding down and across, and whether it is mirrored (N,)."""

    down: Tensor
    across: Tensor
    mirrored: Tensor

    def __getitem__(self, indices: Tensor | slice) -> "Views":
        return Views(self.down[indices], self.across[indices], self.mirrored[indices])

    def to(self, device: torch.device) -> "Views":
        return Views(self.down.to(device), self.across.to(device), self.mirrored.to(device))

    def numbers(self, spec: AugmentSpec) -> Tensor:
        """Which of the spec's `num_views` each view is (N,)."""
        shift = self.down * (2 * spec.crop_padding + 1) + self.across
        return shift * 2 + self.mirrored if spec.horizontal_flip else shift


def draw_views(num_images: int, spec: AugmentSpec, seed: int, epoch: int) -> Views:
    """One view of each image for one epoch."""
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.CROP_AND_FLIP))
    shape = (num_images,)
    down, across = (torch.randint(2 * spec.crop_padding + 1, shape, generator=generator) for _ in range(2))
    mirrored = torch.rand(shape, generator=generator) < 0.5 if spec.horizontal_flip else torch.zeros(shape).bool()
    return Views(down, across, mirrored)


def pad(images: Tensor, padding: int) -> Tensor:
    """Surround images (N, C, S, S) with black: done once for a split, so that a crop is only indexing."""
    return F.pad(images, (padding,) * 4)


def crop(padded: Tensor, indices: Tensor, views: Views, img_size: int) -> Tensor:
    """The views (B,) of the images `indices` (B,) out of `padded` (N, C, S + 2p, S + 2p) -> (B, C, S, S)."""
    span = torch.arange(img_size, device=padded.device)
    rows = views.down[:, None] + span  # B S
    columns = views.across[:, None] + torch.where(views.mirrored[:, None], span.flip(0), span)  # B S
    channels = torch.arange(padded.shape[1], device=padded.device)
    return padded[
        indices[:, None, None, None], channels[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]
    ]


def to_pixels(images: Tensor) -> Tensor:
    """uint8 -> float in [0, 1]."""
    return images.float().div_(255)
