"""The charts of training curves: which metrics stand in each, and how to read it. Knows metrics; no runs."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from deit_core.metrics import (
    HEADS_AGREE,
    IMAGES_PER_S,
    LR,
    METRICS,
    TEACHER_HIT_RATE,
    TOKEN_COSINES,
    TRAIN_ACCURACY,
    TRAIN_AGREEMENT,
    TRAIN_LOSS,
    VAL_ACCURACY,
    VAL_AGREEMENT,
    VAL_ENTROPY,
    VAL_LOSS,
    Unit,
)

# For what is no model: those have theirs in deit_core/results/role_looks.py, and none of these. All stand out from a
# white and from a nearly black page by 3 to 1 and more, and each pair stays apart in the three colour vision
# deficiencies.
COLOURS = ("#A05090", "#A09010", "#607050", "#2090D0", "#809090", "#807010")


class Line(NamedTuple):
    """One metric of a chart. `label` follows the run's name where a chart has several lines of a run; `head` is the one
    that it is about; `hover` is shown with a point; `dash` replaces the run's own.
    """

    metric: str
    kind: Literal["step", "epoch"]
    label: str = ""
    head: Literal["", "class", "distillation"] = ""
    hover: str = ""
    dash: str = ""


@dataclass(frozen=True)
class Chart:
    """`lines` are drawn one over the other, the last on top; all have the unit of the first.

    `note` tells how to read them, `needs` what it takes for there to be any.
    """

    lines: tuple[Line, ...]
    note: str
    can_be_smoothed: bool = True
    needs: str = "a few steps"

    @property
    def number_format(self) -> str:
        return _NUMBER_FORMATS[self._unit]

    def in_words(self, value: float) -> str:
        return f"{value:.3g}" if self._unit == "none" else f"{value:{self.number_format}}"

    @property
    def can_be_log(self) -> bool:
        return self._unit == "nats"

    @property
    def _unit(self) -> Unit:
        return METRICS[self.lines[0].metric].unit


def _chart_of(
    name: str,
    kind: Literal["step", "epoch"] = "step",
    *,
    can_be_smoothed: bool = True,
    needs: str = "a few steps",
) -> dict[str, Chart]:
    """The chart that one metric has to itself, by its title."""
    metric = METRICS[name]
    return {metric.title: Chart((Line(name, kind),), metric.help, can_be_smoothed, needs)}


_NUMBER_FORMATS: dict[Unit, str] = {"share": ".1%", "nats": ".4f", "images/s": ".0f", "none": ".2e"}
_TRAIN_AND_VALIDATION = (
    "Thin: training, on augmented images; where two are mixed, the stronger label counts. Thick: validation."
)
_LOSSES = (
    " Training losses include label smoothing, and for a DeiT the teacher's term. Validation losses do not, so "
    "compare those."
)
_A_STUDENT = "a DeiT, or another run that learns from a teacher"

CHARTS: dict[str, Chart] = {
    "Loss": Chart((Line(TRAIN_LOSS, "step"), Line(VAL_LOSS, "epoch")), _TRAIN_AND_VALIDATION + _LOSSES),
    "Accuracy": Chart((Line(TRAIN_ACCURACY, "step"), Line(VAL_ACCURACY, "epoch")), _TRAIN_AND_VALIDATION),
    "Accuracy per head": Chart(
        (
            Line("val_accuracy_class", "epoch", "class head", "class"),
            Line("val_accuracy_distillation", "epoch", "distillation head", "distillation"),
            Line(VAL_ACCURACY, "epoch", "mean"),
        ),
        "Validation accuracy of each head of a DeiT, and of their mean, which it predicts with.",
        needs="the end of an epoch",
    ),
    "Agreement with the teacher, validation": Chart(
        (
            Line("val_agreement_class", "epoch", "class head", "class"),
            Line("val_agreement_distillation", "epoch", "distillation head", "distillation"),
            Line(VAL_AGREEMENT, "epoch", "mean"),
        ),
        "How often each head of a DeiT decides as its teacher does, on validation images, and their mean.",
        needs=f"the end of an epoch of {_A_STUDENT}",
    ),
    "Cosine of the two tokens": Chart(
        tuple(
            Line(metric.name, "epoch", hover=f"block {block}" if block else "input", dash="" if block else "dot")
            for block, metric in TOKEN_COSINES.items()
        ),
        "How alike class token and distillation token of a DeiT are, at the input (dotted) and after each block, on "
        "validation images: 1 where both point the same way. The DeiT paper has 0.06 at the input and 0.93 at the end.",
        needs="the end of an epoch of a DeiT",
    ),
    "Entropy of the heads": Chart(
        (
            Line("val_entropy_class", "epoch", "class head", "class"),
            Line("val_entropy_distillation", "epoch", "distillation head", "distillation"),
            Line(VAL_ENTROPY, "epoch", "mean"),
        ),
        "How spread the probabilities of each head are, on validation images: 0 where one class has all of it.",
        needs="the end of an epoch",
    ),
    **_chart_of(HEADS_AGREE, "epoch", needs="the end of an epoch of a DeiT"),
    "EMA weights": Chart(
        (Line("val_accuracy_ema", "epoch", "EMA weights"),),
        "Validation accuracy of the EMA weights, where a run evaluates them separately.",
        needs="the end of an epoch of a run with optim.ema at separate",
    ),
    "Loss terms": Chart(
        (
            Line("train_loss_class", "step", "true labels", "class"),
            Line("train_loss_distillation", "step", "teacher", "distillation"),
        ),
        "The two terms of a DeiT's training loss, without the weight alpha: the class head against the true labels, "
        "the distillation head against the teacher.",
        needs=_A_STUDENT,
    ),
    **_chart_of(TRAIN_AGREEMENT, needs=_A_STUDENT),
    **_chart_of(TEACHER_HIT_RATE, can_be_smoothed=False, needs=f"{_A_STUDENT} whose answers are kept on disk"),
    **_chart_of(LR, can_be_smoothed=False),
    **_chart_of(IMAGES_PER_S),
}
