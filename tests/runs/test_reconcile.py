"""A store that does not agree with a run's folder is corrected from it, whatever is missing or too much."""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from benchmarks.faults.agreement import differences, outcome
from deit_core.events import RunStarted, StepDone
from deit_core.layout import RunFiles, run_folder
from deit_core.runs import NewPoint, Store, enqueue, open_store, queue, schema
from deit_core.runs.foreground import train_here
from deit_core.runs.recorder import Recorder
from deit_core.runs.store import GivenUpError
from deit_core.runs.worker import Worker
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace

_points = schema.metrics


def lose_last_epoch(store: Store, run_id: str) -> None:
    with store.writing() as connection:
        connection.execute(delete(_points).where(_points.c.kind == "epoch", _points.c.step > 3))
        results = {"best_epoch": 2, "best_val_accuracy": 0.01, "val_accuracy": 0.02}
        connection.execute(update(schema.runs).values(epoch=1, results=results))


def lose_all_points(store: Store, run_id: str) -> None:
    with store.writing() as connection:
        connection.execute(delete(_points))
        connection.execute(update(schema.runs).values(epoch=0, step=0, results={}))


def lose_the_middle(store: Store, run_id: str) -> None:
    with store.writing() as connection:
        connection.execute(delete(_points).where(_points.c.kind == "epoch", _points.c.step == 3))


def have_a_stale_point(store: Store, run_id: str) -> None:
    row: dict[str, Any] = {"kind": "step", "step": 2, "epoch": 0.1, "elapsed_s": 9.0, "metrics": {"train_loss": 99.0}}
    with store.writing() as connection:
        connection.execute(insert(_points).values(run_id=run_id, **row))


@pytest.mark.parametrize("has_curve", [True, False], ids=["with its curve", "of an older version"])
@pytest.mark.parametrize("fault", [lose_last_epoch, lose_all_points, lose_the_middle, have_a_stale_point])
def test_a_resume_corrects_the_store(fault: Any, has_curve: bool, settings: Settings, tiny: RunSpec) -> None:
    if not has_curve and fault is not lose_last_epoch:
        pytest.skip("an older folder says no more than its last and its best epoch")
    spec, store = replace(tiny, {"data.fraction": 0.2, "compute.num_threads": 1}), open_store(settings.store_url)
    (run,), _ = train_here(store, settings, spec, lambda *_: None)
    before = outcome(store, run.id, settings.runs_dir)
    fault(store, run.id)
    assert differences(outcome(store, run.id, settings.runs_dir), before) != []
    if not has_curve:
        RunFiles(run_folder(settings.runs_dir, run.id)).curve.unlink()
    with store.writing() as connection:
        connection.execute(update(schema.runs).values(status="interrupted"))
    entry = queue.register(store, num_slots=None)
    assert entry is not None
    store.resume(run.id, reserved_for=entry[0])
    Worker(store, settings, *entry).work()
    assert differences(outcome(store, run.id, settings.runs_dir), before) == []


def test_a_worker_that_was_given_up_writes_nothing_more(settings: Settings, tiny: RunSpec) -> None:
    """It slept on another host, say, and wakes while the next worker trains its run."""
    store = open_store(settings.store_url)
    workers = [entry[0] for _ in range(2) if (entry := queue.register(store, num_slots=None))]
    (run_id,) = enqueue(store, tiny, reserved_for=workers[0])
    run = queue.claim(store, workers[0])
    assert run is not None
    asleep = Recorder(store, run)
    asleep.record(RunStarted(1, 1, 1, 1, 17, 34, 0, "cpu", 1))
    asleep.record(StepDone(1, 1, 0.1, {"train_loss": 2.0}))
    queue.leave(store, workers[0])
    store.resume(run_id, reserved_for=workers[1])
    assert queue.claim(store, workers[1]) is not None
    store.add_points(run_id, [NewPoint("step", 5, 0.3, 0.5, {"train_loss": 1.0})], worker_id=workers[1])
    with suppress(GivenUpError):  # it may know by now
        asleep.record(StepDone(2, 1, 0.2, {"train_loss": 99.0}))
    with pytest.raises(GivenUpError, match="taken from this worker"):
        asleep.close()
    assert 99.0 not in [point.metrics.get("train_loss") for point in store.points(run_id)]
