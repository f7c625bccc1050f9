"""The events of a training, as plain data: the loop yields them, and the caller decides what to do.

Metrics are those of `deit_core/metrics.py`: losses in nats, accuracies as shares in [0, 1]. `_s` counts seconds of this
session of the run (a resumed run starts its clock where it stopped).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reading:
    """Sent about once a second before a run starts, if reading its images takes longer; `what` begins a sentence."""

    what: str
    done: int
    total: int
    time_left_s: float


@dataclass(frozen=True)
class RunStarted:
    """Sent once everything is built and loaded, before the first step.

    `first_step` and `first_epoch` are the steps and epochs that earlier sessions finished.
    """

    num_params: int
    num_train: int
    num_val: int
    num_test: int
    steps_per_epoch: int
    total_steps: int
    first_step: int
    device: str
    num_threads: int
    plan: str = ""  # precision, memory layout and whether compiled, in words
    teacher_logits: str = ""  # a sentence: the table they are read from, or why the teacher computes them at every step
    streamed: bool = False  # images are read from their files in every epoch, as they are too large for the memory
    first_epoch: int = 0
    notes: tuple[str, ...] = ()  # sentences for the user on the data and the initial weights


@dataclass(frozen=True)
class StepDone:
    """A group of steps that ended with `step` (counted from 1). `metrics` are means over the group.

    `teacher_hit_rate` is the share of images whose teacher logits were already in the table.
    """

    step: int
    epoch: int
    elapsed_s: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class EpochDone:
    """`epoch` counts from 1. `metrics` has train_* means over the epoch's steps and val_* over the validation split."""

    step: int
    epoch: int
    elapsed_s: float
    metrics: dict[str, float]
    is_best: bool


@dataclass(frozen=True)
class CheckpointSaved:
    """The state on disk now resumes from `step`."""

    step: int
    epoch: int
    folder: str


@dataclass(frozen=True)
class RunFinished:
    """`metrics` has test_* of the best epoch's weights, evaluated once; `note` is a sentence on them, or empty."""

    step: int
    best_epoch: int
    elapsed_s: float
    metrics: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class RunFailed:
    """The run ended by itself for a reason that the user can act on; `reason` is a sentence."""

    step: int
    reason: str


Event = Reading | RunStarted | StepDone | EpochDone | CheckpointSaved | RunFinished | RunFailed
