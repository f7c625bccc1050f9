"""The changes that a user has made in a spec, field by field. Plain data: knows no widgets."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from deit_core.errors import SpecError
from deit_core.spec import AnySpec, RunSpec, changes_between, members, replace


class Changes:
    """Changes of a spec: `by_path` is what `replace` and `--set` take, in an order that works."""

    def __init__(self, spec: AnySpec) -> None:
        self.spec = spec
        self.by_path: dict[str, Any] = {}
        self._documents = {run.name: run.model_dump() for run in members(spec)}

    @classmethod
    def of(cls, spec: AnySpec, by_path: Mapping[str, Any]) -> Self:
        """Changes from their written form, each value as the spec has it.

        Raises: SpecError where they cannot be trained.
        """
        changes, variant = cls(spec), replace(spec, by_path)
        if isinstance(variant, RunSpec) and variant.name != spec.name:
            changes.by_path["name"] = variant.name
            variant = variant.with_changes(name=spec.name)
        between = changes_between(spec, variant)
        if between is None:
            raise SpecError("The runs of an experiment keep their names here; rename them in its JSON, and open that.")
        changes.by_path |= {path: tuple(value) if isinstance(value, list) else value for path, value in between.items()}
        return changes

    def variant(self) -> AnySpec:
        """The spec with the changes.

        Raises: SpecError where it cannot be trained.
        """
        return replace(self.spec, self.by_path)

    def value(self, run: str, path: str) -> Any:
        """The value of a field of a run now, valid or not."""
        return self.by_path.get(f"{run}.{path}", self.by_path.get(path, self._original(run, path)))

    def set(self, runs: Sequence[str], path: str, value: Any) -> None:
        """Change a field of some runs, or of all at once; the last change wins."""
        for run in runs:
            self.by_path.pop(f"{run}.{path}", None)
        if len(runs) < len(self._documents):
            self.by_path |= {f"{run}.{path}": value for run in runs if self.value(run, path) != value}
            return
        self.by_path.pop(path, None)
        if any(self.value(run, path) != value for run in runs):
            self.by_path[path] = value

    def _original(self, run: str, path: str) -> Any:
        if path in ("name", "seeds"):
            return getattr(self.spec, path)
        value: Any = self._documents[run]
        for key in path.split("."):
            value = value[key]
        return value
