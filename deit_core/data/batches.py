"""Batches of uint8 images on the training device, augmented one batch at a time.

Order and views are a pure function of (data, augmentation, seed, epoch), so a resumed run gets the same batches. Pixels
leave here as floats in [0, 1]; each model normalises them itself.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from deit_core.catalog.pixel_versions import FIRST_PIXELS, NEWEST_PIXELS, PixelVersion
from deit_core.data.augment.crop_and_flip import to_pixels
from deit_core.data.augment.epoch_views import EpochViews
from deit_core.data.augment.first_views import FirstViews
from deit_core.data.augment.mixup import Mix, MixDraw, draw_mixes, mix
from deit_core.data.splits import Split
from deit_core.data.supply import Resident, in_order, supply
from deit_core.randomness import Purpose, counter_seed
from deit_core.spec import AugmentSpec


class Batch(NamedTuple):
    """Pixels (B, C, S, S) in [0, 1], labels (B,), and a number (B,) for each view: image * num_views + view.

    Where views are without end it is the place among all that the training shows. The numbers stay on the CPU, so
    that to look something up by them waits for no device. `mix` says which labels the images that were mixed in have,
    None where none were.
    """

    pixels: Tensor
    labels: Tensor
    rows: Tensor
    mix: Mix | None = None


class Drawn(NamedTuple):
    """What is drawn for an epoch: the image at each place of its batches (P,) on the CPU, the views, and how each batch
    is mixed.
    """

    images: Tensor
    views: EpochViews | FirstViews
    mixes: list[MixDraw | None]


def whole_batches(num_images: int, batch_size: int) -> tuple[int, int]:
    """The number of images per batch, and of batches per epoch."""
    batch_size = min(batch_size, num_images)
    return batch_size, num_images // batch_size


class TrainBatches:
    """Shuffled, augmented batches of a split; images after the last whole batch are left out in that epoch.

    `members` (b,) on the CPU are the places in each batch that are really made, where processes share each batch; None
    for all. Images are mixed among them, the first with the last.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        augment: AugmentSpec,
        seed: int,
        device: torch.device,
        version: PixelVersion = NEWEST_PIXELS,
    ) -> None:
        self.num_images, self.img_size = len(split), int(split.images.shape[-1])
        self.batch_size, self.steps_per_epoch = whole_batches(self.num_images, batch_size)
        self.augment, self.seed, self.device, self.version = augment, seed, device, version
        self.supply = supply(split.images, augment.crop_padding, device)
        self._in_epoch = split.in_epoch
        self.members: Tensor | None = None
        self.labels = split.labels.to(device)

    def epoch(self, epoch: int, *, first_step: int = 0) -> Iterator[Batch]:
        """The batches of the epoch's steps from `first_step` on."""
        images, views, mixes = self.draw(epoch)
        rows = self._rows(epoch, images, views)
        made = images.view(self.steps_per_epoch, self.batch_size)
        made = made if self.members is None else made[:, self.members]
        supplied = self.supply.batches(made[first_step:].flatten(), made.shape[1])
        images = images.to(self.device)
        for step, (padded, indices) in zip(range(first_step, self.steps_per_epoch), supplied, strict=False):
            places = self._places(step)
            assert self.members is None or isinstance(views, EpochViews), "runs of the first version share no batch"
            pixels, labels = views.make(padded, indices, places), self.labels[images[places]]  # type: ignore[arg-type]
            mixed = None
            if (how := mixes[step]) is not None:
                pixels, mixed = mix(pixels, labels, how)
            yield Batch(pixels, labels, rows[places], mixed)

    def _places(self, step: int) -> slice | Tensor:
        """Where in the epoch's batches the images of a step are."""
        start = step * self.batch_size
        return slice(start, start + self.batch_size) if self.members is None else start + self.members

    def images_of(self, epoch: int) -> Tensor:
        """The number of the image (P,) at each place of an epoch's batches, on the CPU."""
        return self._order(epoch)[0]

    def draw(self, epoch: int) -> Drawn:
        """All that is random in an epoch; from now on the supply gives its images."""
        if self._in_epoch is not None:
            assert isinstance(self.supply, Resident)
            self.supply.take(self._in_epoch(epoch))
        images, repeats = self._order(epoch)
        views = self._views(epoch, images + repeats * self.num_images)
        return Drawn(images, views, draw_mixes(self.steps_per_epoch, self.img_size, self.augment, self.seed, epoch))

    def _views(self, epoch: int, shown: Tensor) -> EpochViews | FirstViews:
        num_drawn = self.num_images * self.augment.repeated_aug
        drawn = self.augment, num_drawn, shown, self.img_size, self.seed, epoch, self.device
        return FirstViews(*drawn, self.batch_size) if self.version == FIRST_PIXELS else EpochViews(*drawn)

    def _rows(self, epoch: int, images: Tensor, views: EpochViews | FirstViews) -> Tensor:
        num_views = self.augment.num_views
        if num_views is None or self._in_epoch is not None:
            return epoch * len(images) + torch.arange(len(images))
        return images * num_views + views.numbers

    def _order(self, epoch: int) -> tuple[Tensor, Tensor]:
        """Which image each place of the epoch's batches shows, and for which time (both on the CPU).

        With repeated augmentation m a batch of B shows B / m images, rounded up, m times each, the last perhaps less;
        an epoch has as many steps as ever, so it shows about one image in m.

        Source: Hoffer et al. 2020 (arXiv:1901.09335); DeiT spreads the m showings over its GPUs.
        """
        generator = torch.Generator().manual_seed(counter_seed(self.seed, epoch, Purpose.ORDER))
        order = torch.randperm(self.num_images, generator=generator)
        num_repeats, steps = self.augment.repeated_aug, self.steps_per_epoch
        num_shown = -(-self.batch_size // num_repeats)
        shown = order[: steps * num_shown].view(steps, num_shown, 1).expand(-1, -1, num_repeats)
        images = shown.flatten(1)[:, : self.batch_size].flatten()
        repeats = torch.arange(self.batch_size) % num_repeats
        return images, repeats.repeat(steps)


def eval_batch_size(device: torch.device) -> int:
    """Images at once where no backward pass follows; larger batches do not fit into a CPU's cache."""
    return 128 if device.type == "cpu" else 512


def eval_batches(split: Split, device: torch.device, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Every image of a split once, in order and unchanged: (pixels in [0, 1], labels), the last batch shorter."""
    for images, labels in zip(in_order(split.images, batch_size), split.labels.split(batch_size), strict=True):
        yield to_pixels(images.to(device)), labels.to(device)
