"""Specs from JSON, variants of a spec, and the changes that turn one spec into another."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from deit_core.errors import Loc, SpecError, spec_error
from deit_core.spec.experiment import AnySpec, ExperimentSpec, members
from deit_core.spec.run import RunSpec
from deit_core.spec.sweep import Sweep
from deit_core.text.json_text import parse_json
from deit_core.text.quoting import quoted, shortened
from deit_core.text.spelling import nearest

_OF_EXPERIMENTS = ("name", "description", "seeds", "sweep")  # paths that begin so lead to no run

_Spec = TypeVar("_Spec", bound=BaseModel)
_Any = TypeVar("_Any", bound=AnySpec)


def load_spec(text: str | bytes) -> AnySpec:
    """Read a run or an experiment from its JSON.

    Raises: SpecError, one sentence per mistake.
    """
    try:
        document = parse_json(text)
    except ValueError as error:
        raise SpecError(f"This is not JSON ({error}); copy a spec from the Train page or a run's spec.json.") from None
    if not isinstance(document, dict):
        raise SpecError("A spec is a JSON object; copy one from the Train page or a run's spec.json.")
    return validated(ExperimentSpec, document) if "runs" in document else validated(RunSpec, document)


def replace(spec: _Any, changes: Mapping[str, Any]) -> _Any:
    """A validated variant of a spec: `replace(spec, {"optim.lr": 1e-3})`.

    On an experiment a change reaches every run that has the field; a path that begins with a run's name
    ("vit.optim.lr") reaches that run alone, with all of its seeds.

    Raises: SpecError where there is no such field, or the result cannot be trained.
    """
    document = spec.model_dump(mode="json")
    for path, value in changes.items():
        keys = path.split(".")
        if isinstance(spec, RunSpec) or keys[0] in _OF_EXPERIMENTS:
            reached = [document] if _has(document, keys) else []
        elif named := {name: run for name, run in _by_name(document) if path.startswith(f"{name}.")}:
            alone = max(named, key=len)  # a name may have dots of its own
            keys = path.removeprefix(f"{alone}.").split(".")
            reached = [named[alone]] if _has(named[alone], keys) else []
        else:
            reached = [run for run in document["runs"] if _has(run, keys)]
        if not reached:
            raise _unknown(path, spec, document)
        for target in reached:
            for key in keys[:-1]:
                target = target[key]
            target[keys[-1]] = value
    if changes and "expectation" in document:
        document["expectation"] = None  # it was measured on the unchanged spec
    return validated(type(spec), document)


def no_such_field(path: str, spec: AnySpec) -> SpecError:
    """What to say of a path that leads to no field of a spec."""
    return _unknown(path, spec, spec.model_dump(mode="json"))


def _unknown(path: str, spec: AnySpec, document: dict[str, Any]) -> SpecError:
    closest = nearest(path, _reachable(spec, document))
    todo = f"did you mean {closest}?" if closest else "the Train page and `show` list the fields of a spec."
    return SpecError(f"There is no field {shortened(path)}; {todo}")


def validated(kind: type[_Spec], document: Mapping[str, Any]) -> _Spec:
    """Build a spec, or a part of one, from its fields.

    Raises: SpecError, one sentence per mistake.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise spec_error(error, document, lambda loc: _allowed(kind, document, loc)) from None


def changes_between(base: AnySpec, spec: AnySpec) -> dict[str, Any] | None:
    """The changes with which `replace` turns `base` into `spec`, without the expectation; one change for all runs.

    None where there are none: the runs of the two have different names, their sweeps differ, or only one is an
    experiment.
    """
    before, after = ([run.model_dump(mode="json") for run in members(one)] for one in (base, spec))
    if type(base) is not type(spec) or [run["name"] for run in before] != [run["name"] for run in after]:
        return None
    if isinstance(base, RunSpec) or isinstance(spec, RunSpec):
        return dict(_changes(before[0], after[0]))
    if base.sweep != spec.sweep:
        return None
    fields = ("name", "description", "seeds")
    changes = {name: getattr(spec, name) for name in fields if getattr(spec, name) != getattr(base, name)}
    by_run = {new["name"]: dict(_changes(old, new)) for old, new in zip(before, after, strict=True)}
    for path in dict.fromkeys(path for changes in by_run.values() for path in changes):
        reached = [run["name"] for run in before if _has(run, path.split("."))]
        values = [by_run[name].get(path, ...) for name in reached]
        if len(reached) > 1 and all(value == values[0] for value in values):
            changes[path] = values[0]
        else:
            changes |= {
                f"{name}.{path}": value for name, value in zip(reached, values, strict=True) if value is not ...
            }
    return changes


def parse_change(text: str) -> tuple[str, Any]:
    """Path and value of a change as `--set` takes it: optim.lr=1e-3, deit.distillation.kind=soft.

    Raises: SpecError where there is no "=".
    """
    path, separator, value = text.partition("=")
    if not separator:
        raise SpecError(f"A change is written FIELD=VALUE, such as optim.lr=1e-3, not {quoted(text)}.")
    try:
        return path, parse_json(value)
    except ValueError:
        return path, value  # a plain word, such as soft


def change_text(path: str, value: Any) -> str:
    """A change as `parse_change` reads it."""
    return f"{path}={value_text(value)}"


def value_text(value: Any) -> str:
    """A value in the written form of a change: JSON, or a plain word."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        parse_json(value)
    except ValueError:
        return value
    return json.dumps(value)  # "7" the word, not the number


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of each change: a field, or a whole section where it now has other fields."""
    for name, value in after.items():
        old = before[name]
        if isinstance(old, dict) and isinstance(value, dict) and old.keys() == value.keys():
            yield from _changes(old, value, f"{prefix}{name}.")
        elif old != value:
            yield prefix + name, value


def _reachable(spec: AnySpec, document: dict[str, Any]) -> Iterator[str]:
    """The paths that `replace` takes."""
    if isinstance(spec, RunSpec):
        yield from _paths(document)
        return
    yield from ("name", "description", "seeds")
    for name, run in _by_name(document):
        for path in _paths(run):
            yield from (path, f"{name}.{path}")


def _by_name(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The runs of an experiment whose names are text: a change may have given one a number."""
    return ((run["name"], run) for run in document["runs"] if isinstance(run["name"], str))


def _paths(document: dict[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        yield name
        if isinstance(value, dict):
            yield from (f"{name}.{path}" for path in _paths(value))


def _allowed(kind: type[BaseModel], document: Any, loc: Loc) -> Iterator[str]:
    """The paths that a document may have: of the run that contains `loc`, else outside all runs."""
    match loc:
        case ["runs", int(index), *_]:
            yield from _allowed(RunSpec, document["runs"][index], ())
            return
    for name, info in kind.model_fields.items():
        yield name
        inside = document.get(name)
        parts = [
            part
            for part in (info.annotation, *get_args(info.annotation))
            if isinstance(part, type) and issubclass(part, BaseModel) and part not in (RunSpec, Sweep)
        ]
        if len(parts) > 1:  # the families of models
            chosen = inside.get("family") if isinstance(inside, dict) else None
            parts = [part for part in parts if part.model_fields["family"].default == chosen]
        for part in parts:
            yield from (f"{name}.{path}" for path in _allowed(part, inside if isinstance(inside, dict) else {}, ()))


def _has(document: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return bool(keys)
