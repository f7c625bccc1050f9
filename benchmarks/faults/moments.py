"""Moments of a training, seen from outside by what changes on the disk or in the store."""

from collections.abc import Callable
from pathlib import Path

from deit_core.layout import teacher_logits_folder
from deit_core.runs import Run, Status, Store
from deit_core.settings import Settings

Moment = Callable[[], bool]

MOMENTS = ("start", "training", "save", "evaluation", "logit table", "store write")


def moment(name: str, store: Store, settings: Settings) -> Moment:
    """A question that is answered with True once the moment has come."""
    runs_dir = settings.runs_dir
    match name:
        case "save":
            before = _written(runs_dir)
            return lambda: any(runs_dir.glob("*/.*.part")) or _written(runs_dir) != before
        case "evaluation":
            return lambda: any(_is_evaluated(run) for run in store.runs())
        case "logit table":
            table = teacher_logits_folder(runs_dir)
            size = _changed(table)
            return lambda: _changed(table) != size
        case "store write":
            log = runs_dir / "runs.sqlite-wal"
            at = log.stat().st_mtime_ns if log.exists() else 0
            return lambda: log.exists() and log.stat().st_mtime_ns != at
        case _:
            return lambda: True


def _is_evaluated(run: Run) -> bool:
    """Whether all steps of an epoch are done, and the epoch is not."""
    if run.status != Status.RUNNING or not run.total_steps:
        return False
    return run.step == (run.epoch + 1) * (run.total_steps // run.spec.optim.epochs) or run.step == run.total_steps


def _written(runs_dir: Path) -> int:
    return sum(path.stat().st_mtime_ns for path in runs_dir.glob("*/curve.jsonl"))


def _changed(folder: Path) -> int:
    return sum(path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file())
