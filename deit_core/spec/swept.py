"""From an experiment with a sweep to its runs, and from its runs to all trainings. Specs in, specs out."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from deit_core.errors import SpecError
from deit_core.spec.editing import no_such_field, replace, validated, value_text
from deit_core.spec.experiment import AnySpec, ExperimentSpec, seed_name
from deit_core.spec.fields import kinds_of
from deit_core.spec.run import SEARCH_TAG, RunSpec
from deit_core.spec.sweep import MAX_TRAININGS, Trial, Value, too_many
from deit_core.text.quoting import shortened

_NEVER_SWEPT = ("version", "name", "tags", "notes")
_SOURCES = ("distillation.teacher", "initial_checkpoint")  # fields that name another run
_LONGEST_NAME = 70  # which leaves room for a seed


def with_sweep(spec: AnySpec, values: Mapping[str, Any], **options: Any) -> ExperimentSpec:
    """An experiment that tries several values of fields, of an experiment or of a single run.

    Args:
        values: by the path of a field, as `parse_values` gives them.
        options: the other fields of `Sweep`.
    Raises: SpecError where such a sweep cannot be trained.
    """
    experiment = ExperimentSpec(name=spec.name, runs=(spec,)) if isinstance(spec, RunSpec) else spec
    name = f"{spec.name[:_LONGEST_NAME]} sweep"  # it is not the preset, whose results others are compared with
    changes = {"name": name, "sweep": {"values": values} | options, "expectation": None}
    found = validated(ExperimentSpec, experiment.model_dump(mode="json") | changes)
    swept(found)
    return found


def swept(spec: AnySpec) -> AnySpec:
    """The experiment with a run for each combination that a sweep asks for, all tagged for a search; without a sweep
    the spec itself.

    A path reaches the students that have the field: the runs that no other run learns or starts from. One of `data`
    also reaches their teachers, which must learn from the same images, and one that no student has reaches every run
    that has it. A path that begins with a run's name reaches that run alone. A run that comes from one that is reached
    follows it; one that comes from none is trained once.

    Raises: SpecError where a field does not exist, a run cannot be trained, or there are too many.
    """
    return spec if isinstance(spec, RunSpec) or spec.sweep is None else _Plan(spec).experiment()


def trainings(spec: AnySpec) -> tuple[RunSpec, ...]:
    """All trainings: an experiment's runs, or those of its sweep, then those that teach no other run with each further
    seed; or the one run.

    After "vit" with seed 42 comes "vit-s43". If it starts from a run that is repeated too, it takes the one with its
    own seed.
    """
    spec = swept(spec)
    if isinstance(spec, RunSpec):
        return (spec,)
    students = {run.name: run for run in spec.runs if spec.num_repeats(run) > 1}
    runs = list(spec.runs)
    for offset in range(1, spec.seeds):
        for run in students.values():
            start = students.get(run.initial_checkpoint)
            changes: dict[str, Any] = {"name": seed_name(run, offset), "seed": run.seed + offset}
            if start is not None:
                changes["initial_checkpoint"] = seed_name(start, offset)
            runs.append(run.with_changes(**changes))
    return tuple(runs)


def kind_of(spec: ExperimentSpec, name: str) -> str:
    """The name of the run of a swept experiment that a training is a variant of."""
    bases = (run.name for run in spec.runs if name == run.name or name.startswith((f"{run.name} ", f"{run.name}-s")))
    return max(bases, key=len, default=name)


class _Swept(ExperimentSpec):
    """The runs of a sweep, which may be more than a person lists."""

    runs: tuple[RunSpec, ...] = Field(min_length=1, max_length=MAX_TRAININGS)


class _Plan:
    """What a sweep makes of each run."""

    def __init__(self, spec: ExperimentSpec) -> None:
        assert spec.sweep is not None
        self.spec, self.sweep = spec, spec.sweep
        self.own: dict[str, dict[str, str]] = {run.name: {} for run in spec.runs}  # path of a run's field -> swept path
        for path in self.sweep.values:
            names, inside = self._reached(path)
            for name in names:
                if inside in self.own[name]:
                    raise SpecError(f"Two of the swept fields are {inside} of {name!r}; leave out one of them.")
                self.own[name][inside] = path
        self.following = {run.name: self._following(run) for run in spec.runs}

    def experiment(self) -> ExperimentSpec:
        wanted: dict[str, tuple[RunSpec, Trial]] = {}
        for trial in self._trials:
            for run in self.spec.runs:
                wanted.setdefault(self._name(run, trial), (run, trial))
        if len(wanted) > MAX_TRAININGS:
            raise too_many(len(wanted))
        runs = [self._variant(run, trial, name) for name, (run, trial) in wanted.items()]
        words = self.spec.model_dump(include={"name", "description", "seeds"})
        return validated(_Swept, words | {"runs": runs})

    @cached_property
    def _trials(self) -> list[Trial]:
        whole = [
            path
            for fields in self.own.values()
            for inside, path in fields.items()
            if any(kinds_of(info) == [int] for info in _infos(self.spec, inside))
        ]
        return self.sweep.combinations(whole)

    def _reached(self, path: str) -> tuple[list[str], str]:
        """The names of the runs that a swept path reaches, and the path inside them."""
        runs = self.spec.runs
        named = [run for run in runs if path.startswith(f"{run.name}.")]
        if named:
            runs = (max(named, key=lambda run: len(run.name)),)
            path = path.removeprefix(f"{runs[0].name}.")
        if path in _NEVER_SWEPT:
            raise SpecError(f"A sweep cannot vary {path}, because people use it to find a run.")
        having = [run.name for run in runs if _infos_of(run, path)]
        if not having:
            raise no_such_field(path, self.spec)
        students = [name for name in having if name not in self.spec.taught_from]
        return having if named or path.startswith("data.") else students or having, path

    def _following(self, run: RunSpec) -> tuple[str, ...]:
        """The swept paths that a run is repeated for, in the order of the sweep."""
        paths = set(self.own[run.name].values())
        sources: set[Value] = {run.initial_checkpoint, run.distillation.teacher if run.distillation else ""}
        for inside in _SOURCES:
            values = self.sweep.values.get(self.own[run.name].get(inside, ""), ())
            sources.update(values if isinstance(values, tuple) else ())
        for other in self.spec.runs:
            if other.name in sources and other is not run:
                paths.update(self._following(other))
        return tuple(path for path in self.sweep.values if path in paths)

    def _name(self, run: RunSpec, trial: Trial) -> str:
        return self._names[run.name][_key(trial, self.following[run.name])]

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        """By the name of a run those of its variants: with the values that it is repeated for, or else with numbers."""
        found = {}
        for name, followed in self.following.items():
            trials = {_key(trial, followed): trial for trial in self._trials}
            words = {path: self._words(name, path) for path in followed}
            names = [
                " ".join([name, *(f"{words[path]} {value_text(trial[path])}" for path in followed)])
                for trial in trials.values()
            ]
            if max(map(len, names)) > _LONGEST_NAME:
                names = [f"{name} {number}" for number in range(1, len(names) + 1)]
            found[name] = dict(zip(trials, names, strict=True))
        return found

    def _words(self, name: str, path: str) -> str:
        """What the name of a run calls a swept path: of another run, which it comes from, with that one's name."""
        short = _short(path, self.sweep.values)
        owners = [run.name for run in self.spec.runs if path in self.own[run.name].values()]
        return short if name in owners else f"{owners[0]} {short}"

    def _variant(self, run: RunSpec, trial: Trial, name: str) -> RunSpec:
        changes: dict[str, Any] = {inside: trial[path] for inside, path in self.own[run.name].items()}
        by_name = {other.name: other for other in self.spec.runs}
        for field in _SOURCES:
            if (source := changes.get(field, _value(run, field))) in by_name:
                changes[field] = self._name(by_name[source], trial)
        try:
            return replace(run, changes | {"name": name, "tags": [*run.tags, *({SEARCH_TAG} - set(run.tags))]})
        except SpecError as error:
            raise SpecError(f"{name}: {error}") from None


def _key(trial: Trial, followed: Sequence[str]) -> str:
    return repr([trial[path] for path in followed])


def _short(path: str, paths: Mapping[str, Any]) -> str:
    """The last word of a path, or all of it where another one ends so too."""
    last = path.rpartition(".")[2]
    return last if [other.rpartition(".")[2] for other in paths].count(last) == 1 else shortened(path)


def _infos(spec: ExperimentSpec, path: str) -> Iterator[FieldInfo]:
    for run in spec.runs:
        yield from _infos_of(run, path)


def _infos_of(run: RunSpec, path: str) -> list[FieldInfo]:
    """The field of a run at a path, if it has one."""
    part: Any = run
    *above, last = path.split(".")
    for name in above:
        part = getattr(part, name, None) if isinstance(part, BaseModel) else None
    info = type(part).model_fields.get(last) if isinstance(part, BaseModel) else None
    return [info] if info else []


def _value(run: RunSpec, path: str) -> Any:
    value: Any = run
    for name in path.split("."):
        value = getattr(value, name, None)
    return value
