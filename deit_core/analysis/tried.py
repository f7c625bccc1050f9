"""What a search has tried: the values of each field that varies, and what each run reached.

Plain data: knows specs and accuracies, not runs, curves or pages; loads no torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from deit_core.analysis.comparison import differences
from deit_core.analysis.seeds import Runs
from deit_core.analysis.variation import NOT_VARIED, TEACHER, Axis, students, teacher_names, value_of


class Trial(NamedTuple):
    """A run and its values, one for each field; None where it has no such field."""

    run_id: str
    values: tuple[Any, ...]
    accuracy: float


class Tried(NamedTuple):
    """The fields that vary between runs alike in having a teacher, and the runs, the best first."""

    fields: tuple[Axis, ...]
    trials: tuple[Trial, ...]


def tried(ids: Sequence[str], runs: Runs, accuracies: Mapping[str, float]) -> Tried:
    """What varies between the students of a search.

    Args:
        ids: the runs of the experiment, in its order.
        runs: at least those of `ids`, and their teachers.
        accuracies: on validation images, by id; a run without one is left out.
    """
    scored = [run_id for run_id in students(ids, runs) if run_id in accuracies]
    by_role = [[run_id for run_id in scored if (runs[run_id].distillation is None) is plain] for plain in (True, False)]
    found = [one.path for role in by_role for one in differences([runs[run_id] for run_id in role])]
    paths = [path for path in dict.fromkeys(found) if path not in NOT_VARIED | {"initial_checkpoint"}]
    if len(paths) > 1 and TEACHER in paths:
        paths.remove(TEACHER)  # it follows from the other fields
    names = teacher_names([[run_id] for run_id in scored], runs)
    rows = {run_id: tuple(value_of(runs[run_id], path, names) for path in paths) for run_id in scored}
    axes = [Axis(path, tuple(dict.fromkeys(row[place] for row in rows.values()))) for place, path in enumerate(paths)]
    best_first = sorted(scored, key=lambda run_id: -accuracies[run_id])
    return Tried(tuple(map(_ordered, axes)), tuple(Trial(one, rows[one], accuracies[one]) for one in best_first))


def _ordered(axis: Axis) -> Axis:
    known = Axis(axis.path, tuple(value for value in axis.values if value is not None))
    return Axis(known.path, tuple(sorted(known.values))) if known.is_number else known
