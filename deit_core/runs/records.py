"""The records of the store: a run, its measured points, and changes of both, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self

from deit_core.layout import is_demo_id
from deit_core.spec import ExperimentSpec, RunSpec


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    STOPPED = "stopped"  # by the user
    INTERRUPTED = "interrupted"  # its worker is gone
    FAILED = "failed"  # ended with an error
    COMPLETED = "completed"

    @property
    def is_active(self) -> bool:
        return self in (Status.QUEUED, Status.RUNNING)

    @property
    def can_resume(self) -> bool:
        return self in (Status.STOPPED, Status.INTERRUPTED, Status.FAILED)


@dataclass(frozen=True)
class Run:
    """A row of the run table. Times are seconds since the epoch; `results` are metrics by name."""

    id: str
    number: int
    spec: RunSpec
    status: Status
    message: str
    stop_requested: bool
    experiment_id: str | None
    experiment_name: str | None
    worker_id: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    step: int
    total_steps: int
    epoch: int
    time_left_s: float | None
    results: dict[str, float]
    needs: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_demo(self) -> bool:
        """It ships with the program and can only be read. Its number, 0 or less, is shown nowhere."""
        return is_demo_id(self.id)

    @property
    def progress(self) -> float:
        """Share of the steps that are finished, in [0, 1]."""
        if self.status == Status.COMPLETED:
            return 1.0
        return self.step / self.total_steps if self.total_steps else 0.0


class UnreadableRun(NamedTuple):
    """A row of the run table that cannot be shown; `reason` is a part of a sentence: "its status is unknown"."""

    number: int
    id: str
    reason: str

    @property
    def sentence(self) -> str:
        """What is wrong, and what to do."""
        return (
            f"Run {self.number} cannot be shown: {self.reason}. `python -m deit_core delete {self.number}` deletes it."
        )


@dataclass(frozen=True)
class Experiment:
    """A row of the experiment table; `spec` is None where another version submitted it."""

    id: str
    name: str
    description: str
    created_at: float
    spec: ExperimentSpec | None


@dataclass(frozen=True)
class RunUpdate:
    """New values for columns of a run; a column at None stays as it is. See `Run` for what they mean."""

    step: int | None = None
    total_steps: int | None = None
    epoch: int | None = None
    time_left_s: float | None = None
    message: str | None = None
    results: Mapping[str, float] | None = None
    worker_id: str | None = None
    reserved_for: str | None = None  # the only worker that may train it

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that change."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def followed_by(self, later: "RunUpdate") -> Self:
        """Both as one: where both change a column, `later` counts."""
        return replace(self, **later.columns)


PointKind = Literal["start", "step", "epoch"]


@dataclass(frozen=True)
class NewPoint:
    """A `Point` on its way into the store, which numbers it."""

    kind: PointKind
    step: int
    epoch: float
    elapsed_s: float
    metrics: Mapping[str, float]


class Point(NamedTuple):
    """Metrics measured at `step`; `epoch` is fractional, `seq` only grows.

    `kind` is "step" (means over a group of steps), "epoch", or "start": a session that began after `step`.
    """

    seq: int
    run_id: str
    kind: PointKind
    step: int
    epoch: float
    elapsed_s: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class LifecycleEvent:
    at: float
    status: Status
    message: str
