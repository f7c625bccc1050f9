"""Makes batches with tensors only, even the number of the step is one, so that a batch can be recorded with its step.

The batches are those of `TrainBatches`.

All that is drawn for an epoch lies in tensors that keep their place from one epoch to the next. Knows images in memory
and no others.

    B batch, T steps of an epoch, P = B * T places in its batches
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from deit_core.data.augment.epoch_views import EpochViews
from deit_core.data.augment.mixup import Mix, MixDraw, mix_by_tensors
from deit_core.data.batches import TrainBatches
from deit_core.data.supply import Resident


class PlannedBatch(NamedTuple):
    """A batch that is still to be made: whether its images will be mixed."""

    is_mixed: bool


class DeviceBatches:
    """Makes the batches of one epoch at a time.

    Args: batches: of images in memory, with views of the newest version.
    """

    def __init__(self, batches: TrainBatches) -> None:
        assert isinstance(batches.supply, Resident)
        self._batches, self._padded = batches, batches.supply.padded
        self._members = torch.arange(batches.batch_size, device=batches.device)
        self._views: EpochViews | None = None

    def epoch(self, epoch: int, *, first_step: int = 0) -> Iterator[PlannedBatch]:
        """Draw an epoch; then, for each of its steps from `first_step` on, what `make` will make."""
        drawn, device = self._batches.draw(epoch), self._batches.device
        assert isinstance(drawn.views, EpochViews)
        images = drawn.images.to(device)
        shares, boxes = (tensor.to(device) for tensor in _tables(drawn.mixes))
        if self._views is None:
            self._views, self._images, self._shares, self._boxes = drawn.views, images, shares, boxes
        else:
            self._views.take(drawn.views)
            self._images.copy_(images)
            self._shares.copy_(shares)
            self._boxes.copy_(boxes)
        for how in drawn.mixes[first_step:]:
            yield PlannedBatch(how is not None)

    def make(self, step: Tensor, *, is_mixed: bool) -> tuple[Tensor, Tensor, Mix | None]:
        """Pixels (B, C, S, S) in [0, 1] and labels (B,) of a step of the epoch, and how they are mixed.

        Args: step: (1,), counted from 0 in the epoch.
        """
        assert self._views is not None
        places = step * self._batches.batch_size + self._members
        indices = self._images.index_select(0, places)
        pixels, labels = self._views.at_once(self._padded, indices, places), self._batches.labels[indices]
        if not is_mixed:
            return pixels, labels, None
        pixels, mixed = mix_by_tensors(
            pixels, labels, self._shares.index_select(0, step)[0], self._boxes.index_select(0, step)[0]
        )
        return pixels, labels, mixed


def _tables(mixes: list[MixDraw | None]) -> tuple[Tensor, Tensor]:
    """Shares (T,) and boxes (T, 4), which are empty for Mixup."""
    shares = [1.0 if how is None else how.share for how in mixes]
    boxes = [(0, 0, 0, 0) if how is None or how.box is None else how.box for how in mixes]
    return torch.tensor(shares), torch.tensor(boxes)
