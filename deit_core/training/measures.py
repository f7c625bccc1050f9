"""Metrics of the steps of a training, summed on the device and read once per group and once per epoch."""

import time

import torch
from torch import Tensor

from deit_core.metrics import TRAIN_ACCURACY, TRAIN_AGREEMENT, TRAIN_LOSS


def measure(
    loss: Tensor,
    base: Tensor,
    distillation: Tensor | None,
    outputs: Tensor | tuple[Tensor, Tensor],
    labels: Tensor,
    teacher_logits: Tensor | None,
) -> dict[str, Tensor]:
    """Loss and accuracy of one step as scalars on the device. Labels (B,) of mixed images are those with the larger
    ratio.

    With two heads: the accuracy of each and of their mean. With two heads or a teacher: the two terms of the loss. With
    a teacher: `train_agreement`, the share of images for which student and teacher predict the same class; NaN if one
    of the teacher's logits is not finite.
    """

    def share(logits: Tensor, decisions: Tensor) -> Tensor:
        return (logits.detach().argmax(-1) == decisions).float().mean()

    if isinstance(outputs, Tensor):
        taught = outputs
        measured = {TRAIN_LOSS: loss.detach(), TRAIN_ACCURACY: share(outputs, labels)}
        if distillation is not None:
            measured["train_loss_class"] = base.detach()
    else:
        class_logits, taught = outputs
        measured = {
            TRAIN_LOSS: loss.detach(),
            "train_loss_class": base.detach(),
            TRAIN_ACCURACY: share(class_logits + taught, labels),
            "train_accuracy_class": share(class_logits, labels),
            "train_accuracy_distillation": share(taught, labels),
        }
    if distillation is not None and teacher_logits is not None:
        measured["train_loss_distillation"] = distillation.detach()
        finite = torch.where(teacher_logits.isfinite().all(), 0.0, torch.nan)
        measured[TRAIN_AGREEMENT] = share(taught, teacher_logits.argmax(-1)) + finite
    return measured


class Group:
    """The steps after `first_step`, as sums; `age_s` is the time since the group began.

    Args: epoch_sums: the sums of the epoch, to which each step is added by itself: sums of groups would be rounded
        otherwise from one run to the next, as groups end by the clock.
    """

    def __init__(self, first_step: int, epoch_sums: dict[str, Tensor]) -> None:
        self.first_step, self.num_steps, self._epoch_sums = first_step, 0, epoch_sums
        self._sums: dict[str, Tensor] = {}
        self._bad_steps = torch.zeros(0)
        self._began_at = time.monotonic()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began_at

    def add(self, measured: dict[str, Tensor]) -> None:
        self.num_steps += 1
        finite = measured[TRAIN_LOSS].isfinite()
        if TRAIN_AGREEMENT in measured:
            finite = finite & measured[TRAIN_AGREEMENT].isfinite()
        bad = torch.where(finite, torch.inf, self.first_step + self.num_steps)
        self._bad_steps = bad if self.num_steps == 1 else torch.minimum(self._bad_steps, bad)
        for sums in (self._sums, self._epoch_sums):
            for name, value in measured.items():
                sums[name] = sums[name] + value if name in sums else value

    def first_bad_step(self) -> int | None:
        """The first step, counted from 1, whose loss or whose teacher's logits are not finite."""
        step = self._bad_steps.item()
        return None if step == torch.inf else int(step)

    def has_bad_teacher(self) -> bool:
        """Whether logits of the teacher were not finite."""
        return TRAIN_AGREEMENT in self._sums and not bool(self._sums[TRAIN_AGREEMENT].isfinite())

    def means(self) -> dict[str, float]:
        return {name: total.item() / self.num_steps for name, total in self._sums.items()}
