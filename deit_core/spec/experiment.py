"""Several trainings that belong together."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from deit_core.spec.fields import Part, field
from deit_core.spec.run import RunSpec
from deit_core.spec.sweep import Sweep


class Expectation(Part):
    """The results of a preset when it was last measured: test accuracy by run name, and the total time."""

    accuracy: dict[Annotated[str, Field(max_length=80)], float]
    duration_s: float
    measured_on: str = Field(max_length=1000)


class ExperimentSpec(Part):
    """A named set of runs, with a teacher before its students: the unit that a lesson starts."""

    version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=80)
    description: str = Field("", max_length=10_000)
    runs: tuple[RunSpec, ...] = Field(min_length=1, max_length=100)
    seeds: int = field(
        1,
        "How many times each run is trained: with its seed, the next seed, and so on. A teacher is trained once and "
        "teaches all of its students, so that the standard deviation is that of the students alone.",
        ge=1,
        le=20,
    )
    sweep: Sweep | None = None
    expectation: Expectation | None = None

    @model_validator(mode="after")
    def _runs_fit(self) -> Self:
        names = [run.name for run in self.runs]
        if awkward := [name for name in names if name in {*RunSpec.model_fields, "seeds"} or "=" in name]:
            reason = "= begins a value there" if "=" in awkward[0] else "a field has that name"
            raise ValueError(
                f"In an experiment a run cannot be called {awkward[0]!r}, because {reason}; choose another name."
            )
        if twice := _twice(names):
            raise ValueError(f"Two runs are called {min(twice)!r}; give each run of an experiment its own name.")
        places = {name: index for index, name in enumerate(names)}
        for index, run in enumerate(self.runs):
            if (start := self.start_of(run)) is not None:
                if places[start.name] >= index:
                    raise ValueError(f"{run.name!r} starts from {start.name!r}; list that run before it.")
                if start.data.origin == run.data.origin and start.data.split != run.data.split:
                    raise ValueError(
                        f"{start.name!r} and {run.name!r} split their data differently, so the second would start "
                        "from weights that have learned images it is evaluated on; give both the same fraction, "
                        "val_fraction and split_seed."
                    )
            if (teacher := self.teacher_of(run)) is None:
                continue
            if places[teacher.name] >= index:
                raise ValueError(f"{run.name!r} learns from {teacher.name!r}; list the teacher before its students.")
            if teacher.data.split != run.data.split:
                raise ValueError(
                    f"{teacher.name!r} and {run.name!r} split their data differently, so the "
                    "teacher would have learned images its student is evaluated on; give both the same source, "
                    "fraction, val_fraction and split_seed."
                )
        return self

    @model_validator(mode="after")
    def _seeds_fit(self) -> Self:
        repeated = [run for run in self.runs if self.num_repeats(run) > 1]
        names = [run.name for run in self.runs]
        names += [seed_name(run, offset) for offset in range(1, self.seeds) for run in repeated]
        if twice := _twice(names):
            raise ValueError(
                f"With {self.seeds} seeds two runs are called {min(twice)!r}; rename the run in this list."
            )
        if long := [name for name in names if len(name) > 80]:
            raise ValueError(f"With its seed a run is called {long[0]!r}; give it a shorter name.")
        if max((run.seed for run in repeated), default=0) + self.seeds > 2**31:
            raise ValueError(f"{self.seeds} seeds would go beyond 2147483647; start with a smaller seed.")
        return self

    def num_repeats(self, run: RunSpec) -> int:
        """How many times a run of this experiment is trained: once if others learn from it, else once per seed."""
        return 1 if run.name in self.taught_from else self.seeds

    @cached_property
    def taught_from(self) -> frozenset[str]:
        """Names of the runs that teach, and of the runs that these start from."""
        names: set[str] = set()
        for run in reversed(self.runs):  # what a run comes from is listed before it
            if teacher := self.teacher_of(run):
                names.add(teacher.name)
            if run.name in names and (start := self.start_of(run)):
                names.add(start.name)
        return frozenset(names)

    def teacher_of(self, run: RunSpec) -> RunSpec | None:
        """The run of this experiment that teaches `run`, if one does."""
        return None if run.distillation is None else self._by_name.get(run.distillation.teacher)

    def start_of(self, run: RunSpec) -> RunSpec | None:
        """The run of this experiment that `run` starts from, if it starts from one."""
        return self._by_name.get(run.initial_checkpoint)

    @cached_property
    def _by_name(self) -> dict[str, RunSpec]:
        return {run.name: run for run in self.runs}


AnySpec = RunSpec | ExperimentSpec


def members(spec: AnySpec) -> tuple[RunSpec, ...]:
    """The runs of an experiment as they are listed in it, or the one run."""
    return spec.runs if isinstance(spec, ExperimentSpec) else (spec,)


def listed_name(run: RunSpec) -> str:
    """What a training is called in its experiment: the name without the seed that `trainings` added."""
    return run.name.removesuffix(f"-s{run.seed}")


def seed_name(run: RunSpec, offset: int) -> str:
    """What the training of a run with a further seed is called."""
    return f"{run.name}-s{run.seed + offset}"


def _twice(names: Sequence[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}
