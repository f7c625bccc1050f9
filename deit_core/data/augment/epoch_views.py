"""All that augmentation does to single images, in the order of the DeiT recipe: crops and flip, RandAugment, colour
jitter, random erasing. Mixing images comes after, and is not known here.

Every draw is a function of (seed, epoch) and the number of the view, so an epoch can be entered anywhere. On a CPU
threads make the views one image at a time, elsewhere torch makes a batch at once; `whole_batch` says how they agree.

    V views drawn for an epoch, P places in its batches, B batch, C channels, S img_size
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.data.augment import one_image, whole_batch
from deit_core.data.augment.color_jitter import draw_factors, draw_orders
from deit_core.data.augment.crop_and_flip import crop, draw_views, to_pixels
from deit_core.data.augment.erasing import draw_boxes, draw_noise
from deit_core.data.augment.operations import GEOMETRIC, JITTER, Kind, operations_at
from deit_core.data.augment.rand_augment import draw_operations
from deit_core.data.augment.resized_crop import draw_regions, in_pixels
from deit_core.machine.limits import num_cores
from deit_core.spec import AugmentSpec

_PIECES = 4  # of a batch for each thread: few, yet none waits long for another
_SMALL = 48  # pixels: below, a whole batch is cut and erased faster at once, on a CPU too


class _Tables(NamedTuple):
    """RandAugment's operations by number, on a device: kinds (M,), values (M,) and matrices (M, 6)."""

    kinds: Tensor
    values: Tensor
    matrices: Tensor


class EpochViews:
    """The views of one epoch, drawn at once and made one batch at a time.

    Args:
        num_views: how many are drawn, one for each showing of an image.
        shown: (P,) on the CPU, which of them each place of the epoch's batches shows.
        device: where views are made.
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
    ) -> None:
        self.spec, self.img_size, self.device = spec, img_size, device
        self._changes_colours = bool(spec.randaugment_ops or spec.color_jitter)
        crops = draw_views(num_views, spec, seed, epoch)[shown]
        self.numbers = crops.numbers(spec)  # (P,) on the CPU
        self._crops = crops.to(device)
        if spec.resized_crop:
            regions = draw_regions(num_views, spec.resized_crop, seed, epoch)[shown]
            self._regions = in_pixels(regions, img_size).to(device)
        if spec.randaugment_ops:
            draws = draw_operations(num_views, spec.randaugment_ops, seed, epoch)[shown]
            self._operations = (draws.operations + len(Kind) * draws.negative).to(device)  # (P, n)
            self._menu = operations_at(spec.randaugment_magnitude, img_size)
            self._tables = _Tables(
                torch.tensor([operation.kind for operation in self._menu], device=device),
                torch.tensor([operation.value for operation in self._menu], device=device),
                torch.tensor([operation.matrix for operation in self._menu], device=device),
            )
            self._sources: dict[int, NDArray[np.int16]] = {}  # of the geometric ones, as they come
        if spec.color_jitter:
            order = draw_orders(num_views, seed, epoch)[shown]
            factors = draw_factors(num_views, spec.color_jitter, seed, epoch)[shown]
            self._jitter_kinds = torch.tensor(JITTER)[order].to(device)  # (P, 3)
            self._jitter_factors = factors.gather(1, order).to(device)
        if spec.random_erasing:
            noise, windows = draw_noise(num_views, img_size, seed, epoch)
            self._boxes = draw_boxes(num_views, spec.random_erasing, img_size, seed, epoch)[shown].to(device)
            self._noise, self._windows = noise.to(device), windows[shown].to(device)

    def take(self, other: "EpochViews") -> None:
        """Become the views of another epoch of the same run, in the tensors that are here already."""
        for own, new in zip(self._tensors(), other._tensors(), strict=True):
            own.copy_(new)
        self.numbers = other.numbers

    def _tensors(self) -> Iterator[Tensor]:
        crops, spec = self._crops, self.spec
        yield from (crops.down, crops.across, crops.mirrored)
        if spec.resized_crop:
            yield self._regions
        if spec.randaugment_ops:
            yield self._operations
        if spec.color_jitter:
            yield from (self._jitter_kinds, self._jitter_factors)
        if spec.random_erasing:
            yield from (self._boxes, self._noise, self._windows)

    def make(self, padded: Tensor, indices: Tensor, places: slice | Tensor) -> Tensor:
        """Pixels (B, C, S, S) in [0, 1] of the batch at these places.

        Args:
            padded: (N, C, S + 2p, S + 2p) uint8, all images with black around them.
            indices: (B,) on the same device, the images of the batch.
            places: where in the epoch's batches; a tensor (B,) is on the same device, or on the CPU.
        """
        is_quick_at_once = self.img_size < _SMALL and not self._changes_colours
        if self.device.type == "cpu" and not is_quick_at_once:
            return self._one_by_one(padded, indices, places)
        return self.at_once(padded, indices, places)

    def at_once(self, padded: Tensor, indices: Tensor, places: slice | Tensor) -> Tensor:
        """As `make`, by `whole_batch` on any device."""
        images = crop(padded, indices, self._crops[places], self.img_size)
        if self.spec.resized_crop:
            images = whole_batch.enlarged(images, self._regions[places])
        if self.spec.randaugment_ops:
            for numbers in self._operations[places].unbind(1):
                images = whole_batch.warped(images, self._tables.matrices[numbers])
                images = whole_batch.recoloured(images, self._tables.kinds[numbers], self._tables.values[numbers])
        if self.spec.color_jitter:
            kinds, factors = self._jitter_kinds[places], self._jitter_factors[places]
            for kind, factor in zip(kinds.unbind(1), factors.unbind(1), strict=True):
                images = whole_batch.recoloured(images, kind, factor, JITTER)
        if self.spec.random_erasing:
            images = whole_batch.erased(images, self._boxes[places], self._noise, self._windows[places])
        return to_pixels(images)

    def _one_by_one(self, padded: Tensor, indices: Tensor, places: slice | Tensor) -> Tensor:
        pixels = torch.empty(len(indices), padded.shape[1], self.img_size, self.img_size)
        draws = [_Draw(*drawn) for drawn in zip(*self._drawn(places), strict=True)]
        images, views, numbers = padded.numpy(), pixels.numpy(), indices.tolist()

        def make(members: range) -> None:
            for member in members:
                planes = self._change(images[numbers[member]], draws[member])
                np.divide(planes, np.float32(255), out=views[member])

        pieces = -(-len(indices) // (_PIECES * num_cores()))
        starts = range(0, len(indices), pieces)
        for _ in _threads().map(make, (range(start, min(start + pieces, len(indices))) for start in starts)):
            pass
        return pixels

    def _drawn(self, places: slice | Tensor) -> Iterator[list[Any]]:
        """The fields of `_Draw`, each as a list of the batch."""
        crops, spec = self._crops[places], self.spec
        yield from (crops.down.tolist(), crops.across.tolist(), crops.mirrored.tolist())
        nothing = [None] * len(crops.down)
        yield self._regions[places].tolist() if spec.resized_crop else nothing
        yield self._operations[places].tolist() if spec.randaugment_ops else nothing
        if spec.color_jitter:
            both = zip(self._jitter_kinds[places].tolist(), self._jitter_factors[places].numpy(), strict=True)
            yield [list(zip(kinds, factors, strict=True)) for kinds, factors in both]
        else:
            yield nothing
        yield self._boxes[places].tolist() if spec.random_erasing else nothing
        yield self._windows[places].tolist() if spec.random_erasing else nothing

    def _change(self, image: one_image.Planes, draw: "_Draw") -> one_image.Planes:
        planes = one_image.cut_out(image, draw.down, draw.across, self.img_size, mirrored=draw.mirrored)
        if draw.region:
            planes = one_image.enlarged(planes, draw.region)
        for number in draw.operations or ():
            kind, value, _ = self._menu[number]
            if kind in GEOMETRIC:
                planes = one_image.warped(planes, self._source(number))
            elif kind != Kind.IDENTITY:
                planes = one_image.recoloured(planes, kind, np.float32(value))
        for colour, factor in draw.jitter or ():
            planes = one_image.recoloured(planes, Kind(colour), factor)
        if draw.box and draw.window and draw.box[1] > draw.box[0]:
            planes = one_image.erased(planes, draw.box, self._noise.numpy(), draw.window)
        return planes

    def _source(self, number: int) -> NDArray[np.int16]:
        """Where the pixels come from in an operation, computed once; two threads at once compute the same."""
        if number not in self._sources:
            self._sources[number] = one_image.source_places(self._menu[number].matrix, self.img_size)
        return self._sources[number]


class _Draw(NamedTuple):
    """What was drawn for one view; None where the spec has nothing of a kind."""

    down: int
    across: int
    mirrored: bool
    region: list[int] | None
    operations: list[int] | None
    jitter: list[tuple[int, np.float32]] | None
    box: list[int] | None
    window: list[int] | None


@cache
def _threads() -> ThreadPoolExecutor:
    """Those that make views, for the life of the process."""
    cv2.setNumThreads(1)  # each image has a thread already
    return ThreadPoolExecutor(num_cores(), "views")
