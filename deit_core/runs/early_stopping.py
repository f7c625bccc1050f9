"""Early stopping in a sweep: whether a run that trains has fallen behind those of its kind that are finished.

Judges by validation alone. Knows the store; stops nothing itself.
"""

from collections.abc import Mapping

from deit_core.analysis.median_rule import median_above
from deit_core.metrics import BEST_VAL_ACCURACY, VAL_ACCURACY
from deit_core.runs.curves import Curves
from deit_core.runs.records import Run, Status
from deit_core.runs.store import Store
from deit_core.spec import SEARCH_TAG, ExperimentSpec, kind_of

_BEGINS = "Stopped early: "


def is_stopped_early(run: Run) -> bool:
    """Whether a run reads stopped because of this rule."""
    return run.status == Status.STOPPED and run.message.startswith(_BEGINS)


class EarlyStopping:
    """The rule for one run of an experiment.

    It holds for no run that another run needs, and no more for one that it has stopped once and a person has resumed.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store, self._run = store, run
        self._curves = Curves(store, max_runs=1)
        self._finished: dict[str, list[float]] = {}  # validation accuracy after each epoch, by the id of a run
        spec = _experiment(store, run)
        self._sweep = spec.sweep if spec is not None else None
        self._ids: list[str] = []  # of the runs of its kind
        if spec is None or self._sweep is None or not self._sweep.stop_early:
            return
        siblings = [other for other in store.runs() if other.experiment_id == run.experiment_id]
        is_needed = any(run.id in other.needs for other in siblings)
        was_stopped = any(event.message.startswith(_BEGINS) for event in store.lifecycle(run.id))
        if not is_needed and not was_stopped:
            kind = kind_of(spec, run.name)
            self._ids = [one.id for one in siblings if one.id != run.id and kind_of(spec, one.name) == kind]

    def reason(self, epoch: int, results: Mapping[str, float]) -> str:
        """A sentence on why the run should stop after an epoch; empty where it should not.

        Args: results: of the run, up to that epoch.
        """
        if not self._ids or self._sweep is None or not self._sweep.warmup_epochs < epoch < self._run.spec.optim.epochs:
            return ""
        for other in self._store.runs([run_id for run_id in self._ids if run_id not in self._finished]):
            if other.status == Status.COMPLETED:
                points = [point for point in self._curves.of(other) if point.kind == "epoch"]
                self._finished[other.id] = [point.metrics[VAL_ACCURACY] for point in points]
        others = list(filter(None, self._finished.values()))
        if len(others) < self._sweep.min_finished:
            return ""
        best = results[BEST_VAL_ACCURACY]
        middle = median_above(best, epoch, others)
        if middle is None:
            return ""
        return (
            f"{_BEGINS}after epoch {epoch} its best validation accuracy, {best:.2%}, is below {middle:.2%}, the median "
            f"of {len(others)} finished runs of its kind. Resume trains it to its end."
        )


def _experiment(store: Store, run: Run) -> ExperimentSpec | None:
    if run.experiment_id is None or SEARCH_TAG not in run.spec.tags:
        return None
    return next((one.spec for one in store.experiments() if one.id == run.experiment_id), None)
