"""Early stopping: which runs the rule judges, by which others, and a sweep that trains under it."""

import pytest

from deit_core.runs import NewPoint, Status, Store, enqueue, open_store
from deit_core.runs.early_stopping import EarlyStopping, is_stopped_early
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec, replace, with_sweep

BAD = {"best_val_accuracy": 0.1}


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


def sweep(spec: RunSpec | ExperimentSpec, path: str = "seed", number: int = 4, **options: object) -> ExperimentSpec:
    options = {"stop_early": True, "warmup_epochs": 1, "min_finished": 2} | options
    return with_sweep(replace(spec, {"optim.epochs": 5}), {path: list(range(1, number + 1))}, **options)


def finish(store: Store, run_id: str, *accuracies: float) -> None:
    points = [NewPoint("epoch", 17 * n, n, n, {"val_accuracy": one}) for n, one in enumerate(accuracies, 1)]
    store.add_points(run_id, points)
    store.set_status(run_id, Status.COMPLETED)


def reason(store: Store, run_id: str, epoch: int = 2) -> str:
    return EarlyStopping(store, store.run(run_id)).reason(epoch, BAD)


def test_it_waits_for_epochs_and_for_finished_runs(store: Store, tiny: RunSpec) -> None:
    first, second, third, fourth = enqueue(store, sweep(tiny))
    finish(store, first, 0.5, 0.7, 0.9, 0.9, 0.9)
    assert reason(store, fourth) == ""
    rule = EarlyStopping(store, store.run(fourth))
    assert rule.reason(2, BAD) == ""
    finish(store, second, 0.7, 0.9, 0.9, 0.9, 0.9)
    assert rule.reason(1, BAD) == "", "in the warm-up"
    assert rule.reason(2, BAD) == (
        "Stopped early: after epoch 2 its best validation accuracy, 10.00%, is below 70.00%, the median of 2 finished "
        "runs of its kind. Resume trains it to its end."
    )
    assert rule.reason(2, {"best_val_accuracy": 0.71}) == ""
    assert rule.reason(5, BAD) == "", "the last epoch is trained by then"
    store.set_status(third, Status.STOPPED)
    assert rule.reason(3, BAD), "a stopped run is none of the finished"


def test_a_run_is_compared_with_those_of_its_kind(store: Store, tiny_trio: ExperimentSpec) -> None:
    ids = {store.run(run_id).name: run_id for run_id in enqueue(store, sweep(tiny_trio, number=3))}
    finish(store, ids["teacher"], 0.9)
    for number in (1, 2):
        finish(store, ids[f"deit seed {number}"], 0.9)
    assert reason(store, ids["deit seed 3"])
    assert reason(store, ids["vit seed 3"]) == ""


def test_what_others_need_trains_to_its_end(store: Store, tiny_trio: ExperimentSpec) -> None:
    ids = {store.run(run_id).name: run_id for run_id in enqueue(store, sweep(tiny_trio, "teacher.seed"))}
    for number in (1, 2, 3):
        finish(store, ids[f"teacher seed {number}"], 0.9)
    assert reason(store, ids["teacher seed 4"]) == ""


@pytest.mark.parametrize("options", [{"stop_early": False}, {"min_finished": 4}])
def test_nothing_is_stopped_unless_it_is_asked_for(store: Store, tiny: RunSpec, options: dict[str, object]) -> None:
    *others, last = enqueue(store, sweep(tiny, **options))
    for other in others:
        finish(store, other, 0.9)
    assert reason(store, last) == ""


def test_a_sweep_stops_what_falls_behind_once(store: Store, settings: Settings, tiny: RunSpec) -> None:
    base = replace(tiny, {"optim.epochs": 3, "optim.min_lr": 0.0, "optim.warmup_epochs": 0.5})
    spec = with_sweep(base, {"optim.lr": [2e-3, 3e-3, 1e-6]}, stop_early=True, warmup_epochs=1, min_finished=2)
    runs, mistake = train_here(store, settings, spec, lambda run, event: None)
    assert mistake is None
    assert [run.status for run in runs] == [Status.COMPLETED, Status.COMPLETED, Status.STOPPED]
    last = runs[-1]
    assert is_stopped_early(last)
    assert (last.name, last.epoch) == ("tiny lr 1e-06", 2)
    assert "test_accuracy" not in last.results
    assert last.results["best_val_accuracy"] < min(run.results["best_val_accuracy"] for run in runs[:2])
    assert reason(store, last.id) == "", "what a person resumes is not stopped again"
