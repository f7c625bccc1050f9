"""The records of the store: a run and its measured points as plain data."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

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
    def progress(self) -> float:
        """Share of the steps that are finished, in [0, 1]."""
        if self.status == Status.COMPLETED:
            return 1.0
        return self.step / self.total_steps if self.total_steps else 0.0


@dataclass(frozen=True)
class Experiment:
    """A row of the experiment table; `spec` is None where another version submitted it."""

    id: str
    name: str
    description: str
    created_at: float
    spec: ExperimentSpec | None


class Point(NamedTuple):
    """Metrics measured at `step`; `kind` is "step" (means over a group of steps) or "epoch". `epoch` is fractional."""

    seq: int
    run_id: str
    kind: str
    step: int
    epoch: float
    elapsed_s: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class LifecycleEvent:
    at: float
    status: Status
    message: str
