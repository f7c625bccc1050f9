"""An experiment whose runs vary one field or two: what each value gives, with and without a teacher.

Plain data: knows specs and accuracies, not runs, curves or pages; loads no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, NamedTuple

from deit_core.analysis.comparison import differences
from deit_core.analysis.seeds import Runs, Sample, distillation_pairings, seed_groups
from deit_core.spec import RunSpec, listed_name

NOTHING = "nothing"  # is changed in the recipe that all others are compared with
TEACHER = "distillation.teacher"

_MOST_AXES = 2
_OF_DISTILLATION = ("distillation.", "model.distilled")  # a model without a teacher has none of them
NOT_VARIED = {
    *("name", "tags", "notes", "seed", "augment.test_flip"),
    *("distillation.stored_logits", "distillation.stored_views"),  # the same numbers, sooner or later
}


@dataclass(frozen=True)
class Axis:
    """A field that varies, and its values: ascending where they are numbers, else in the order of the runs.

    `also` are the fields that change together with it. `path` is empty where each recipe changes one field of a common
    one: then the values say which, and `NOTHING` is the common one.
    """

    path: str
    values: tuple[Any, ...]
    also: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)


@dataclass(frozen=True)
class Point:
    """What runs of one recipe reached.

    values: one for each axis; None where the recipe has no such field, so that it holds for all of them.
    ids: of the runs, which differ in their seed alone.
    teacher: the accuracy of their teacher, if they have one on the same images.
    gain: over the runs without a teacher that have otherwise the same settings, seed by seed, if there are any.
    """

    values: tuple[Any, ...]
    ids: tuple[str, ...]
    accuracy: Sample
    teacher: float | None = None
    gain: Sample | None = None

    def holds_at(self, values: tuple[Any, ...]) -> bool:
        return all(mine in (None, theirs) for mine, theirs in zip(self.values, values, strict=True))


class Row(NamedTuple):
    """What runs reached at a place on the axes, without and with a teacher."""

    values: tuple[Any, ...]
    plain: Point | None
    taught: Point | None


@dataclass(frozen=True)
class Variation:
    """Accuracy against one axis or two, of which the first runs to the right, without a teacher (`plain`) and with one
    (`taught`). Without axes `reason` says why, in a sentence.
    """

    axes: tuple[Axis, ...]
    plain: tuple[Point, ...] = ()
    taught: tuple[Point, ...] = ()
    reason: str = ""

    @property
    def rows(self) -> list[Row]:
        """One for each place on the axes, in their order; a plain recipe without such a field is in each of them."""
        places = dict.fromkeys(point.values for point in self.taught)
        alone = (point.values for point in self.plain if not any(map(point.holds_at, places)))
        rows = [
            Row(
                values,
                next((point for point in self.plain if point.holds_at(values)), None),
                next((point for point in self.taught if point.values == values), None),
            )
            for values in (*places, *dict.fromkeys(alone))
        ]
        return sorted(rows, key=lambda row: [self._rank(*pair) for pair in zip(self.axes, row.values, strict=True)])

    @staticmethod
    def _rank(axis: Axis, value: Any) -> int:
        return -1 if value is None else axis.values.index(value)


def variation(ids: Sequence[str], runs: Runs, accuracies: Mapping[str, float]) -> Variation:
    """What varies between the students of an experiment. Fields that change together count as one.

    Args:
        ids: the runs of the experiment, in its order.
        runs: at least those of `ids`, and their teachers.
        accuracies: by id; a run without one is left out.
    """
    groups = seed_groups([run_id for run_id in students(ids, runs) if run_id in accuracies], runs)
    if len(groups) < 2:
        return Variation((), reason="It has fewer than two recipes with a finished run.")
    by_role = [[group for group in groups if _is_taught(group, runs) == wanted] for wanted in (True, False)]
    names = teacher_names(groups, runs)
    columns = [_columns(role, runs, names) for role in by_role]
    known = {path for column in columns[0] for path in column.paths}
    lead = columns[0] + [column for column in columns[1] if not known & set(column.paths)]
    if not lead:
        return Variation((), reason="Its runs vary in nothing but the seed and whether they have a teacher.")
    axes, positions = _axes(groups, lead, runs, names)
    if len(lead) > _MOST_AXES:
        changes = [found for found in map(_changes, by_role, columns) if found is not None]
        if len(changes) < len(by_role):
            named = ", ".join(column.paths[0] for column in lead)
            return Variation((), reason=f"Its runs vary in {len(lead)} fields ({named}); a chart shows one or two.")
        positions = {run_id: (change,) for found in changes for run_id, change in found.items()}
        axes = [Axis("", tuple(dict.fromkeys([NOTHING, *(positions[group[0]][0] for group in groups)])))]
    points = _points(by_role, positions, runs, accuracies)
    return Variation(tuple(axes), plain=points[1], taught=points[0])


def students(ids: Sequence[str], runs: Runs) -> list[str]:
    """Those of the ids that teach no other of them."""
    teachers = {taught.teacher for run_id in ids if (taught := runs[run_id].distillation) is not None}
    return [run_id for run_id in ids if run_id not in teachers]


class _Column(NamedTuple):
    """Fields that change together, the one that they are named by first, and its value for each group."""

    paths: tuple[str, ...]
    values: tuple[Any, ...]


def _columns(groups: Sequence[Sequence[str]], runs: Runs, names: Mapping[str, str]) -> list[_Column]:
    together: dict[tuple[int, ...], dict[str, tuple[Any, ...]]] = {}
    for found in differences([runs[group[0]] for group in groups]):
        if found.path not in NOT_VARIED:
            pattern = tuple(found.values.index(value) for value in found.values)
            values = tuple(names[value] for value in found.values) if found.path == TEACHER else found.values
            together.setdefault(pattern, {})[found.path] = values
    columns = []
    for fields in together.values():
        paths = sorted(fields, key=lambda path: path == TEACHER)  # the name of a teacher says least
        columns.append(_Column(tuple(paths), fields[paths[0]]))
    return columns


def _axes(
    groups: Sequence[Sequence[str]], lead: Sequence[_Column], runs: Runs, names: Mapping[str, str]
) -> tuple[list[Axis], dict[str, tuple[Any, ...]]]:
    """An axis for each column, numbers first, then those with many values; and each group's values, by its first id."""
    rows = [[value_of(runs[group[0]], column.paths[0], names) for group in groups] for column in lead]
    axes = []
    for column, row in zip(lead, rows, strict=True):
        axis = Axis(
            column.paths[0], tuple(dict.fromkeys(value for value in row if value is not None)), column.paths[1:]
        )
        axes.append(replace(axis, values=tuple(sorted(axis.values))) if axis.is_number else axis)
    order = sorted(range(len(axes)), key=lambda index: (not axes[index].is_number, -len(axes[index].values)))
    positions = {group[0]: tuple(rows[index][number] for index in order) for number, group in enumerate(groups)}
    return [axes[index] for index in order], positions


def value_of(spec: RunSpec, path: str, names: Mapping[str, str]) -> Any:
    """The value of a field, None where the recipe has no such field. Args: names: of teachers, by their ids."""
    if path.startswith(_OF_DISTILLATION) and spec.distillation is None:
        return None
    value: Any = spec
    for name in path.split("."):
        value = getattr(value, name, None)
    return names[value] if path == TEACHER else value


def teacher_names(groups: Sequence[Sequence[str]], runs: Runs) -> dict[str, str]:
    """What each teacher is called, by its id: also by that where two have one name."""
    taught = (runs[group[0]].distillation for group in groups)
    names = {
        one.teacher: listed_name(runs[one.teacher]) if one.teacher in runs else one.teacher for one in taught if one
    }
    called = list(names.values())
    return {one: f"{name} ({one})" if called.count(name) > 1 else name for one, name in names.items()}


def _changes(groups: Sequence[Sequence[str]], columns: Sequence[_Column]) -> dict[str, str] | None:
    """What each group changes in a common recipe, by its first id; None where one changes more than one thing."""
    for base in range(len(groups)):
        changed = [[one for one in columns if one.values[index] != one.values[base]] for index in range(len(groups))]
        if all(len(found) <= 1 for found in changed):
            return {
                group[0]: f"{found[0].paths[0]}={_text(found[0].values[index])}" if found else NOTHING
                for index, (group, found) in enumerate(zip(groups, changed, strict=True))
            }
    return None if groups else {}


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _points(
    by_role: Sequence[Sequence[Sequence[str]]],
    positions: Mapping[str, tuple[Any, ...]],
    runs: Runs,
    accuracies: Mapping[str, float],
) -> list[tuple[Point, ...]]:
    groups = [group for role in by_role for group in role]
    pairings = {pairing.distilled: pairing for pairing in reversed(distillation_pairings(groups, runs))}

    def point(group: Sequence[str]) -> Point:
        pairing = pairings.get(groups.index(group))
        gains = [accuracies[taught] - accuracies[plain] for plain, taught in pairing.pairs] if pairing else []
        return Point(
            positions[group[0]],
            tuple(group),
            Sample(tuple(accuracies[run_id] for run_id in group)),
            _teacher_accuracy(group, runs, accuracies),
            Sample(tuple(gains)) if gains else None,
        )

    return [tuple(map(point, role)) for role in by_role]


def _is_taught(group: Sequence[str], runs: Runs) -> bool:
    return runs[group[0]].distillation is not None


def _teacher_accuracy(group: Sequence[str], runs: Runs, accuracies: Mapping[str, float]) -> float | None:
    """The mean of the teachers that were tested on the same images."""
    teachers = {taught.teacher for run_id in group if (taught := runs[run_id].distillation) is not None}
    origin = runs[group[0]].data.origin
    known = [accuracies[one] for one in sorted(teachers & accuracies.keys()) if runs[one].data.origin == origin]
    return fmean(known) if known else None
