"""The weights of runs that can be shown pictures, and the teacher behind a student. Knows runs and their files."""

from collections.abc import Sequence
from pathlib import Path

from dashboard import state
from dashboard.state import may_read
from deit_core.runs import Run


def best_file(run: Run) -> Path:
    return state.files_of(run).best


def has_weights(run: Run) -> bool:
    """Whether this page may read the weights of the run's best epoch, and they are there."""
    return state.has_weights(run) and may_read(state.paths_of(run).best)


def teacher_of(run: Run, runs: Sequence[Run]) -> Run | None:
    """The teacher that a run learned from, if it is among `runs` and has weights."""
    wanted = run.spec.distillation and run.spec.distillation.teacher
    return next((one for one in runs if one.id == wanted and has_weights(one)), None)
