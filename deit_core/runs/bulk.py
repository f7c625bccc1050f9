"""Stopping or deleting several runs at once: what is refused for one does not keep the others."""

from collections.abc import Callable, Iterable

from deit_core.errors import DeitError, RunError
from deit_core.refusals import user_error
from deit_core.runs.records import Run
from deit_core.runs.store import Store
from deit_core.text.quoting import quoted


def for_each(run_ids: Iterable[str], action: Callable[[str], None]) -> list[DeitError]:
    """Do something with each run. Returns: the errors of those for which it was refused."""
    refusals: list[DeitError] = []
    for run_id in run_ids:
        try:
            action(run_id)
        except Exception as error:
            mistake = user_error(error)
            if mistake is None:
                raise
            refusals.append(mistake)
    return refusals


def newest_first(runs: Iterable[Run]) -> list[str]:
    """The ids of runs in the order to stop or delete them: a run before the one that it needs."""
    return [run.id for run in sorted(runs, key=lambda run: run.number, reverse=True)]


def of_experiment(store: Store, name: str) -> list[Run]:
    """The runs of the experiments with a name, or with an id that begins so.

    Raises: RunError where there is no such experiment.
    """
    ids = [one.id for one in store.experiments() if one.name == name or (name and one.id.startswith(name))]
    if not ids:
        raise RunError(f"There is no experiment {quoted(name)}; `python -m deit_core runs` lists them.")
    return [run for run in store.runs() if run.experiment_id in ids]
