"""Metrics of the steps of a training, summed on the device and read once per group and once per epoch."""

import math
import time
from collections.abc import Mapping

import torch
from torch import Tensor

from deit_core.distillation import LossTerms
from deit_core.metrics import TRAIN_ACCURACY, TRAIN_AGREEMENT, TRAIN_LOSS

OF_LABELLED = frozenset({"train_loss_class", TRAIN_ACCURACY, "train_accuracy_class", "train_accuracy_distillation"})


def measure(
    loss: LossTerms,
    outputs: Tensor | tuple[Tensor, Tensor],
    labels: Tensor,
    teacher_logits: Tensor | None,
    is_labelled: Tensor | None = None,
) -> dict[str, Tensor]:
    """Loss and accuracy of one step as scalars on the device. Labels (B,) of mixed images are those with the larger
    ratio. Accuracies are shares of the labelled images, 0 if there is none.

    With two heads: the accuracy of each and of their mean. With two heads or a teacher: the two terms of the loss. With
    a teacher: `train_agreement`, the share of images for which student and teacher predict the same class; NaN if one
    of the teacher's logits is not finite.
    """

    def share(logits: Tensor, decisions: Tensor) -> Tensor:
        return (logits.detach().argmax(-1) == decisions).float().mean()

    def accuracy(logits: Tensor) -> Tensor:
        if is_labelled is None:
            return share(logits, labels)
        is_right = (logits.detach().argmax(-1) == labels) & is_labelled
        return is_right.sum() / is_labelled.sum().clamp(min=1)

    if isinstance(outputs, Tensor):
        taught = outputs
        measured = {TRAIN_LOSS: loss.total.detach(), TRAIN_ACCURACY: accuracy(outputs)}
        if loss.distillation is not None:
            measured["train_loss_class"] = loss.base.detach()
    else:
        class_logits, taught = outputs
        measured = {
            TRAIN_LOSS: loss.total.detach(),
            "train_loss_class": loss.base.detach(),
            TRAIN_ACCURACY: accuracy(class_logits + taught),
            "train_accuracy_class": accuracy(class_logits),
            "train_accuracy_distillation": accuracy(taught),
        }
    if loss.distillation is not None and teacher_logits is not None:
        measured["train_loss_distillation"] = loss.distillation.detach()
        agreement = share(taught, teacher_logits.argmax(-1))
        measured[TRAIN_AGREEMENT] = agreement.masked_fill(~teacher_logits.isfinite().all(), torch.nan)
    return measured


class Sums:
    """Sums of metrics on the device: over a group of steps and over the epoch.

    Each step is added to both by itself: sums of groups would be rounded otherwise from one run to the next, as groups
    end by the clock. The tensors stay where they are, so that a recorded step can add to them.

    Args: epoch: the sums of an epoch that is continued, by name; empty at its start.
    """

    def __init__(self, epoch: Mapping[str, Tensor]) -> None:
        self._names = tuple(epoch)
        if epoch:
            self._start(torch.stack(tuple(epoch.values())))

    def _start(self, epoch: Tensor) -> None:
        self._epoch, self._group = epoch, torch.zeros_like(epoch)
        self._num_steps, self._first_bad = (epoch.new_full((), value) for value in (0.0, math.inf))

    def add(self, measured: Mapping[str, Tensor]) -> None:
        """Add the metrics of one step, scalars on the device; every step has the same names."""
        values = torch.stack(tuple(measured.values()))
        if not self._names:
            self._names = tuple(measured)
            self._start(torch.zeros_like(values))
        self._epoch += values
        self._group += values
        self._num_steps += 1
        finite = values[self._names.index(TRAIN_LOSS)].isfinite()
        if TRAIN_AGREEMENT in self._names:
            finite &= values[self._names.index(TRAIN_AGREEMENT)].isfinite()
        torch.minimum(self._first_bad, self._num_steps.masked_fill(finite, math.inf), out=self._first_bad)

    def take_group(self) -> tuple[dict[str, float], int | None]:
        """The sums of the steps since the last call, and the first of these steps, counted from 1, whose loss or whose
        teacher's logits are not finite; waits for the device.
        """
        *sums, first_bad = torch.cat([self._group, self._first_bad[None]]).tolist()
        self._group.zero_()
        self._num_steps.zero_()
        self._first_bad.fill_(math.inf)
        return dict(zip(self._names, sums, strict=True)), None if first_bad == math.inf else int(first_bad)

    def of_epoch(self) -> dict[str, Tensor]:
        """The sums of the epoch so far, by name."""
        return dict(zip(self._names, self._epoch.clone(), strict=True)) if self._names else {}

    def start_epoch(self) -> None:
        """Forget the sums of the epoch."""
        if self._names:
            self._epoch.zero_()


class Group:
    """The steps after `first_step`; `age_s` is the time since the group began."""

    def __init__(self, first_step: int) -> None:
        self.first_step, self.num_steps = first_step, 0
        self._began_at = time.monotonic()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began_at
