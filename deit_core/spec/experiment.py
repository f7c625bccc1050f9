"""Several trainings that belong together."""

from typing import Literal, Self

from pydantic import Field, model_validator

from deit_core.spec.fields import Part
from deit_core.spec.run import RunSpec


class Expectation(Part):
    """What a preset gave when it was last measured: test accuracy by run name, and the time for all of it."""

    accuracy: dict[str, float]
    duration_s: float
    measured_on: str


class ExperimentSpec(Part):
    """A named set of runs, a teacher before its students: the unit a lesson launches."""

    version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=80)
    description: str = ""
    runs: tuple[RunSpec, ...] = Field(min_length=1, max_length=100)
    expectation: Expectation | None = None

    @model_validator(mode="after")
    def _runs_fit(self) -> Self:
        names = [run.name for run in self.runs]
        if awkward := [name for name in names if name in RunSpec.model_fields or "=" in name]:
            raise ValueError(f"A run cannot be called {awkward[0]!r}: fields are changed by name; give it another.")
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"Two runs are called {min(twice)!r}; give each run of an experiment its own name.")
        for index, run in enumerate(self.runs):
            if (start := self.start_of(run)) is not None:
                if names.index(start.name) >= index:
                    raise ValueError(f"{run.name!r} starts from {start.name!r}; list that run before it.")
                if start.data.origin == run.data.origin and start.data.split != run.data.split:
                    raise ValueError(
                        f"{start.name!r} and {run.name!r} split their data differently, so the second would start "
                        "from weights that have learned images it is judged on; give both the same fraction, "
                        "val_fraction and split_seed."
                    )
            if (teacher := self.teacher_of(run)) is None:
                continue
            if names.index(teacher.name) >= index:
                raise ValueError(f"{run.name!r} learns from {teacher.name!r}; list the teacher before its students.")
            if teacher.data.split != run.data.split:
                raise ValueError(
                    f"{teacher.name!r} and {run.name!r} split their data differently, so the "
                    "teacher would have learned images its student is judged on; give both the same source, "
                    "fraction, val_fraction and split_seed."
                )
        return self

    def teacher_of(self, run: RunSpec) -> RunSpec | None:
        """The run of this experiment that teaches `run`, if one does."""
        if run.distillation is None:
            return None
        return next((other for other in self.runs if other.name == run.distillation.teacher), None)

    def start_of(self, run: RunSpec) -> RunSpec | None:
        """The run of this experiment that `run` starts from, if it starts from one."""
        return next((other for other in self.runs if other.name == run.initial_checkpoint), None)


AnySpec = RunSpec | ExperimentSpec


def members(spec: AnySpec) -> tuple[RunSpec, ...]:
    """The runs of an experiment, or the one run."""
    return spec.runs if isinstance(spec, ExperimentSpec) else (spec,)
