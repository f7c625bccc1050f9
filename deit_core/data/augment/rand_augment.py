"""torchvision's RandAugment on a batch: its operations and strengths, drawn for each image separately.

torchvision applies one draw to whatever it is given, so images with equal draws go through it together. That is how the
first pixel version is made; later ones share the draws. Knows uint8 images; nothing of what else is done to them.

    V views drawn for an epoch, B batch, C channels, S img_size

Source: Cubuk et al. 2020 (arXiv:1909.13719). Not timm's rand-m9-mstd0.5-inc1: torchvision has 14 operations, not 15,
31 strengths, not 10 (timm's 9 is about 27 here), a fixed strength, and black where timm fills with the mean.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from deit_core.data.augment.operations import Kind
from deit_core.randomness import Purpose, counter_seed


@dataclass(frozen=True, eq=False)
class RandAugmentDraws:
    """Operations (V, n), numbered as torchvision lists them, and whether each is turned round (V, n). On the CPU."""

    operations: Tensor
    negative: Tensor

    def __getitem__(self, views: Tensor | slice) -> "RandAugmentDraws":
        return RandAugmentDraws(self.operations[views], self.negative[views])


def draw_operations(num_views: int, num_ops: int, seed: int, epoch: int) -> RandAugmentDraws:
    generator = torch.Generator().manual_seed(counter_seed(seed, epoch, Purpose.RAND_AUGMENT))
    shape = num_views, num_ops
    operations = torch.randint(len(Kind), shape, generator=generator)
    return RandAugmentDraws(operations, torch.rand(shape, generator=generator) <= 0.5)


def rand_augment(images: Tensor, draws: RandAugmentDraws, magnitude: int) -> Tensor:
    """Change uint8 images (B, C, S, S), C 1 or 3, each by its own of the B draws, at a magnitude of 0..30."""
    from deit_core.torchvision_ops import v2  # takes long to load

    ours = v2.RandAugment(magnitude=magnitude)
    height, width = images.shape[-2:]
    for operations, negative in zip(draws.operations.T, draws.negative.T, strict=True):
        changed = images.clone()
        for number, (name, (strengths, is_signed)) in enumerate(ours._AUGMENTATION_SPACE.items()):
            strength = strengths(ours.num_magnitude_bins, height, width)
            for is_negative in (False, True) if is_signed else (False,):
                chosen = operations == number
                if is_signed:
                    chosen &= negative == is_negative
                members = chosen.nonzero()[:, 0].to(images.device)
                if len(members):
                    value = 0.0 if strength is None else float(strength[magnitude]) * (-1 if is_negative else 1)
                    changed[members] = ours._apply_image_or_video_transform(
                        images[members], name, value, interpolation=ours.interpolation, fill=ours._fill
                    )
        images = changed
    return images
