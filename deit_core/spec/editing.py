"""Specs from JSON, and variants of a spec."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deit_core.errors import SpecError, spec_error
from deit_core.spec.experiment import AnySpec, ExperimentSpec
from deit_core.spec.run import RunSpec


def load_spec(text: str | bytes) -> AnySpec:
    """Read a run or an experiment from its JSON.

    Raises: SpecError, a sentence a mistake.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"This is not JSON ({error}); copy a spec from the Train page or a run's spec.json.") from None
    if not isinstance(document, dict):
        raise SpecError("A spec is a JSON object; copy one from the Train page or a run's spec.json.")
    return _validate(ExperimentSpec if "runs" in document else RunSpec, document)


def replace(spec: AnySpec, changes: Mapping[str, Any]) -> AnySpec:
    """A validated variant of a spec: `replace(spec, {"optim.lr": 1e-3})`.

    On an experiment a change reaches every run that has the field; a path that begins with a run's name
    ("vit.optim.lr") reaches that run alone, with all of its seeds.

    Raises: SpecError where no such field is, or the outcome cannot be trained.
    """
    document = spec.model_dump(mode="json")
    for path, value in changes.items():
        keys = path.split(".")
        if isinstance(spec, RunSpec) or keys[0] in ("name", "description", "seeds"):
            reached = [document] if _has(document, keys) else []
        elif named := [run for run in document["runs"] if path.startswith(run["name"] + ".")]:
            alone = max(named, key=lambda run: len(run["name"]))  # a name may have dots of its own
            keys = path.removeprefix(alone["name"] + ".").split(".")
            reached = [alone] if _has(alone, keys) else []
        else:
            reached = [run for run in document["runs"] if _has(run, keys)]
        if not reached:
            raise SpecError(f"There is no field {path}; the Train page and `show` list the fields of a spec.")
        for target in reached:
            for key in keys[:-1]:
                target = target[key]
            target[keys[-1]] = value
    if changes and "expectation" in document:
        document["expectation"] = None  # it was measured on the unchanged spec
    return _validate(type(spec), document)


def _validate(kind: type[AnySpec], document: Any) -> AnySpec:
    adapter: TypeAdapter[AnySpec] = TypeAdapter(kind)
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise spec_error(error, document) from None


def _has(document: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return bool(keys)
