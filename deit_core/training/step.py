"""One step of training: forward, loss, backward, update. Its metrics stay on the device."""

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from deit_core.data.augment.mixup import Mix
from deit_core.distillation import DistillationTerms
from deit_core.randomness import Purpose, counter_seed
from deit_core.spec import RunSpec
from deit_core.training.device import Plan, place, seed_device
from deit_core.training.ema import ModelEma, ema_decay
from deit_core.training.measures import OF_LABELLED, measure
from deit_core.training.optim import build_optimizer, learning_rate, set_learning_rate
from deit_core.training.ranks import ALONE, Ranks
from deit_core.training.teacher_logits import TeacherLogits

_LABELLED = "the number of labelled images"  # among what is measured, while parts are added up


class _Part(NamedTuple):
    """Some images of a batch, as `TrainStep.learn` takes all of them."""

    pixels: Tensor
    labels: Tensor
    teacher_logits: Tensor | None
    mix: Mix | None


class TrainStep:
    """A model, its loss, its optimiser and its EMA weights; called with a step number, it makes that step.

    Dropout and learning rate are functions of the step alone, so a repeated step gives the same result.

    Args:
        teacher: pixels (B, C, S, S) in [0, 1] -> logits (B, K); TeacherLogits also gets the views' rows.
        ranks: who share each batch of `spec`. Each is called with its own images of it; the update, and all that is
            measured, are of the whole batch.

    `num_parts` is in how many parts the images are computed, one after the other; at most one for each image.
    """

    def __init__(
        self,
        spec: RunSpec,
        model: nn.Module,
        teacher: nn.Module | None,
        normalize: Callable[[Tensor], Tensor],
        steps_per_epoch: int,
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks, self.num_parts = ranks, spec.compute.gradient_accumulation_steps
        self.spec, self.model, self.teacher, self.normalize = spec, model, teacher, normalize
        self.steps_per_epoch = steps_per_epoch
        self.optimizer = build_optimizer(model, spec.optim)
        self.ema = ModelEma(model) if spec.optim.ema != "off" else None
        self.terms = build_terms(spec)
        self.plan = Plan()
        self._forward: Callable[[Tensor], Tensor | tuple[Tensor, Tensor]] = model

    def follow(self, plan: Plan) -> None:
        """Use `plan` from now on."""
        self.plan = plan
        device = next(self.model.parameters()).device
        place(self.model, device, channels_last=plan.channels_last)
        if self.ema is not None:
            place(self.ema.module, device, channels_last=plan.channels_last)
        if plan.compiled:
            options: dict[str, Any] = {"fallback_random": True}  # the same dropout masks as in the plain plan
            if device.type == "cuda":
                options["triton.cudagraphs"] = True
            self._forward = torch.compile(self.model, dynamic=False, options=options)
        else:
            self._forward = self.model

    def __call__(
        self, pixels: Tensor, labels: Tensor, step: int, rows: Tensor | None = None, mix: Mix | None = None
    ) -> dict[str, Tensor]:
        """Make step `step`, counted from 0, on pixels (B, C, S, S) in [0, 1] and labels (B,).

        Args:
            rows: (B,) on the CPU, the numbers of these views in the table of teacher logits.
            mix: the labels of the images mixed into these pixels. The teacher gets the mixed pixels; accuracy is
                measured with the label of the larger ratio.
        Returns: its metrics, scalars on the device.
        """
        self.seed(step)
        set_learning_rate(self.optimizer, self.learning_rate(step))
        measured = self.learn(pixels, labels, self.ask_teacher(pixels, rows), mix)
        if self.ema is not None:
            self.ema.update(self.model, ema_decay(step, self.spec.optim))
        return measured

    def seed(self, step: int) -> None:
        """Seed the random numbers of a step's dropout; each rank draws its own."""
        own = counter_seed(self.spec.seed, step, Purpose.DROPOUT, self.ranks.rank)
        seed_device(next(self.model.parameters()).device, own)

    def ask_teacher(self, pixels: Tensor, rows: Tensor | None = None) -> Tensor | None:
        """The teacher's logits (B, K); None without a teacher."""
        if self.teacher is None:
            return None
        has_rows = isinstance(self.teacher, TeacherLogits)
        logits: Tensor = self.teacher(pixels, rows) if has_rows else self.teacher(pixels)
        return logits

    def learn(
        self, pixels: Tensor, labels: Tensor, teacher_logits: Tensor | None, mix: Mix | None
    ) -> dict[str, Tensor]:
        """Update the weights once, with the random numbers and learning rate that are set; waits for no device."""
        self.optimizer.zero_grad(set_to_none=True)
        num_parts, batch = min(self.num_parts, len(labels)), _Part(pixels, labels, teacher_logits, mix)
        if self.ranks.is_alone and num_parts == 1:
            loss, measured, _ = self._look_at(batch)
            loss.backward()
        else:
            measured = self._learn_together(_parts(batch, num_parts))
        if self.spec.optim.clip_grad is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.optim.clip_grad)
        self.optimizer.step()
        return measured

    def _look_at(self, part: _Part) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """The loss, what is measured, and which images are labelled (B,), None where all are."""
        pixels, labels, teacher_logits, mix = part
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.plan.precision == "bfloat16"):
            outputs = self._forward(self.normalize(pixels))
        outputs = (outputs[0].float(), outputs[1].float()) if isinstance(outputs, tuple) else outputs.float()
        is_labelled = self._which_are_labelled(labels, mix)
        if mix is None:
            targets = labels
        else:
            num_classes = (outputs[0] if isinstance(outputs, tuple) else outputs).shape[-1]
            targets, labels = mix.targets(labels, num_classes), mix.stronger(labels)
        uses_labels = mix is None or self.spec.distillation is None or self.spec.distillation.mixed_labels == "both"
        loss = self.terms(  # in float32: bfloat16 would blur small terms
            outputs, targets, teacher_logits, is_labelled=is_labelled, uses_labels=uses_labels
        )
        return loss.total, measure(loss, outputs, labels, teacher_logits, is_labelled), is_labelled

    def _learn_together(self, parts: Iterable[_Part]) -> dict[str, Tensor]:
        """Add up the gradients of the parts, and of all ranks; what is measured is of the whole batch too."""
        of_labelled, num_images = frozenset[str](), self.spec.optim.batch_size
        sums: dict[str, Tensor] = {}
        for part in parts:
            loss, measured, is_labelled = self._look_at(part)
            share = torch.full_like(loss, len(part.labels) / num_images)
            (loss * share).backward()
            num_labelled = share
            if is_labelled is not None:
                of_labelled, num_labelled = OF_LABELLED.intersection(measured), is_labelled.sum().float()
            weighed = {
                name: value * (num_labelled if name in of_labelled else share) for name, value in measured.items()
            }
            weighed[_LABELLED] = num_labelled
            sums = {name: sums[name] + value for name, value in weighed.items()} if sums else weighed
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        self.ranks.add_up([*gradients, *sums.values()])
        num_labelled = sums.pop(_LABELLED)
        for name in of_labelled:
            sums[name] /= num_labelled.clamp(min=1)
        return sums

    def _which_are_labelled(self, labels: Tensor, mix: Mix | None) -> Tensor | None:
        """(B,), None where all are. A mixed image is if both its images are."""
        if self.spec.data.labelled_fraction == 1:
            return None
        return labels >= 0 if mix is None else (labels >= 0) & (mix.others >= 0)

    @property
    def average(self) -> nn.Module | None:
        """The EMA model, if there is one."""
        return None if self.ema is None else self.ema.module

    def learning_rate(self, step: int) -> float:
        return learning_rate(step, self.spec.optim, self.steps_per_epoch)


def _parts(batch: _Part, num_parts: int) -> Iterable[_Part]:
    """The images of a batch in parts of nearly the same size."""

    def split(tensor: Tensor | None) -> Iterable[Any]:
        return repeat(None) if tensor is None else tensor.tensor_split(num_parts)

    pixels, labels, teacher_logits, mix = batch
    mixes = repeat(None) if mix is None else (Mix(others, mix.share) for others in mix.others.tensor_split(num_parts))
    for part in zip(split(pixels), split(labels), split(teacher_logits), mixes, strict=False):
        yield _Part(*part)


def build_terms(spec: RunSpec) -> DistillationTerms:
    """The terms of a run's loss: smoothed cross-entropy with the true labels, and the teacher's where there is one."""
    base, distillation = nn.CrossEntropyLoss(label_smoothing=spec.optim.label_smoothing), spec.distillation
    if distillation is None:
        return DistillationTerms(base, "none")
    return DistillationTerms(
        base,
        distillation.kind,
        distillation.alpha,
        distillation.tau,
        distillation.reduction,
        standardized=distillation.standardize,
    )
