"""The runs that ship with the program: completed, in folders beside the code, and in no store. They can only be read.

`demo.json` lists their experiments; a run's own folder has the rest. Loads no torch.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import BaseModel, TypeAdapter

from deit_core.layout import DEMO_EXAMPLE, DEMO_FOLDER, DEMO_LIST
from deit_core.runs.reader import StoreReader
from deit_core.runs.records import Experiment, Point, PointKind, Run, UnreadableRun
from deit_core.runs.run_folders import FoundRun, find_run
from deit_core.spec import ExperimentSpec


class DemoExperiment(BaseModel):
    """An entry of `demo.json`. Times are seconds since the epoch; the runs in the order in which they trained."""

    spec: ExperimentSpec
    created_at: float
    runs: dict[str, tuple[float, float]]  # id -> start, end


class DemoAnswer(NamedTuple):
    """The likeliest class, its probability, and whether it is the true one."""

    name: str
    probability: float
    is_right: bool


class DemoExample(BaseModel):
    """A test image, and what the three models of an experiment make of it.

    pixels: (S, S) grey levels, 0 to 255.
    class_map, distillation_map: (gh, gw), the rollout of both tokens of the DeiT.
    """

    pixels: list[list[int]]
    truth: str
    teacher: DemoAnswer
    vit: DemoAnswer
    class_head: DemoAnswer
    distillation_head: DemoAnswer
    class_map: list[list[float]]
    distillation_map: list[list[float]]


EXPERIMENTS = TypeAdapter(list[DemoExperiment])


class RunReader(Protocol):
    """What can be read of runs, wherever they are."""

    def runs(self) -> list[Run]:
        """The newest first."""

    def run(self, run_id: str) -> Run:
        """Raises: RunError where there is none."""

    def unreadable(self) -> list[UnreadableRun]:
        """Those that this version cannot read."""

    def experiments(self) -> list[Experiment]:
        """The oldest first."""

    def points(self, run_id: str, *, after_seq: int = 0, kind: PointKind | None = None) -> list[Point]:
        """In the order in which they were written."""


class DemoRuns:
    """The runs in a folder with a `demo.json`; none where there is no such file."""

    def __init__(self, folder: Path = DEMO_FOLDER) -> None:
        file = folder / DEMO_LIST
        listed = EXPERIMENTS.validate_json(file.read_bytes()) if file.exists() else []
        self._runs: dict[str, Run] = {}
        self._points: dict[str, list[Point]] = {}
        self._experiments = [
            Experiment(f"demo-{one.spec.name}", one.spec.name, one.spec.description, one.created_at, one.spec)
            for one in listed
        ]
        for experiment, entry in zip(self._experiments, listed, strict=True):
            for run_id, times in entry.runs.items():
                found = find_run(folder / run_id)
                self._runs[run_id] = _run(found, experiment, times, number=-len(self._runs))
                self._points[run_id] = [
                    Point(seq, run_id, *vars(point).values()) for seq, point in enumerate(found.points, 1)
                ]

    def runs(self) -> list[Run]:
        """In the order of `demo.json`."""
        return list(self._runs.values())

    def unreadable(self) -> list[UnreadableRun]:
        return []

    def experiments(self) -> list[Experiment]:
        return self._experiments

    def run(self, run_id: str) -> Run:
        return self._runs[run_id]

    def has(self, run_id: str) -> bool:
        return run_id in self._runs

    def points(self, run_id: str, *, after_seq: int = 0, kind: PointKind | None = None) -> list[Point]:
        return [point for point in self._points[run_id] if point.seq > after_seq and kind in (None, point.kind)]


@cache
def demo_runs() -> DemoRuns:
    """The runs that ship with the program, read once."""
    return DemoRuns()


@cache
def demo_example() -> DemoExample | None:
    """The image that ships with these runs; None where none ship."""
    file = DEMO_FOLDER / DEMO_EXAMPLE
    return DemoExample.model_validate_json(file.read_bytes()) if file.exists() else None


class WithDemo:
    """A store's runs, then those that ship with the program, as one."""

    def __init__(self, store: StoreReader, demo: DemoRuns) -> None:
        self._store, self._demo = store, demo

    def runs(self) -> list[Run]:
        return self._store.runs() + self._demo.runs()

    def run(self, run_id: str) -> Run:
        return self._of(run_id).run(run_id)

    def unreadable(self) -> list[UnreadableRun]:
        return self._store.unreadable()

    def experiments(self) -> list[Experiment]:
        return self._demo.experiments() + self._store.experiments()

    def points(self, run_id: str, *, after_seq: int = 0, kind: PointKind | None = None) -> list[Point]:
        return self._of(run_id).points(run_id, after_seq=after_seq, kind=kind)

    def _of(self, run_id: str) -> RunReader:
        return self._demo if self._demo.has(run_id) else self._store


def _run(found: FoundRun, experiment: Experiment, times: tuple[float, float], *, number: int) -> Run:
    return Run(
        id=found.id,
        number=number,
        spec=found.spec,
        status=found.status,
        message=found.message,
        stop_requested=False,
        experiment_id=experiment.id,
        experiment_name=experiment.name,
        worker_id=None,
        created_at=times[0],
        started_at=times[0],
        finished_at=times[1],
        step=found.step,
        total_steps=found.total_steps,
        epoch=found.epoch,
        time_left_s=None,
        results=found.results,
        needs=(),
    )
