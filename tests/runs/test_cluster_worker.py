"""A worker of a cluster whose time is over: its run waits for another, unless there was no time for a single step."""

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from deit_core.events import Event, RunStarted, StepDone
from deit_core.runs import Run, Status, enqueue, open_store, queue
from deit_core.runs.cluster_worker import train_ready
from deit_core.runs.wants import Takes
from deit_core.runs.worker import Worker
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """A worker of a cluster has a process for itself, and tells the processes of a training where the store is."""
    with mock.patch.dict(os.environ):
        yield


def train_until(settings: Settings, kind: type[Event]) -> None:
    """Let a worker train, and end it at the first event of a kind, as Slurm does before its time is over."""

    def hear(worker: Worker) -> None:
        def watch(_run: Run, event: Event) -> None:
            if isinstance(event, kind):
                worker.end()

        worker.watch = watch

    train_ready(settings, "a1", node_id="job 7", takes=Takes("slurm"), num_threads=1, on_begin=hear)


def test_a_run_goes_on_with_the_next_worker(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, replace(tiny, {"optim.epochs": 1}))
    train_until(settings, StepDone)
    run = store.run(run_id)
    assert (run.status, run.message) == (
        Status.QUEUED,
        "The time of its worker was over; another worker continues it from here.",
    )
    assert queue.registered(store) == set()
    train_ready(settings, "b2", node_id="job 8", takes=Takes("slurm"), num_threads=1)
    assert store.run(run_id).status == Status.COMPLETED
    starts = [point.step for point in store.points(run_id) if point.kind == "start"]
    assert starts == [0, run.step]


def test_a_worker_without_time_for_a_step_does_not_queue_its_run_for_ever(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, tiny)
    train_until(settings, RunStarted)
    run = store.run(run_id)
    assert run.status == Status.INTERRUPTED
    assert "give workers more time" in run.message


def test_a_stop_that_is_asked_for_while_a_run_is_given_back_is_not_lost(settings: Settings, tiny: RunSpec) -> None:
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, tiny)
    queue.register(store, None, "a1", node_id="job 7")
    queue.claim(store, "a1")
    store.stop(run_id)
    store.set_status(run_id, Status.QUEUED, "It goes on on another.", worker_id="a1")
    assert store.run(run_id).status == Status.STOPPED
