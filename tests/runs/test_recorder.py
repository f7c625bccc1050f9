"""What is measured reaches the store whole and in order, and whoever measures never waits for it."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from deit_core import presets
from deit_core.errors import StoreError
from deit_core.events import EpochDone, Event, RunStarted, StepDone
from deit_core.runs import NewPoint, Run, RunUpdate, Status, Store, enqueue, writer
from deit_core.runs.foreground import train_here
from deit_core.runs.recorder import Recorder
from deit_core.settings import Settings
from deit_core.spec import RunSpec

NO_UPDATE = RunUpdate()
STARTED = RunStarted(
    num_params=7,
    num_train=100,
    num_val=10,
    num_test=10,
    steps_per_epoch=10,
    total_steps=100_000,
    first_step=0,
    device="cpu",
    num_threads=1,
)


class TroubledStore(Store):
    """Takes its time to write points, and refuses to for as long as it is told to."""

    delay_s = 0.0
    refusals = 0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.num_writes = 0
        self.writers: set[int] = set()

    def add_points(
        self,
        run_id: str,
        points: Sequence[NewPoint],
        update: RunUpdate = NO_UPDATE,
        notes: Sequence[str] = (),
        *,
        worker_id: str | None = None,
    ) -> None:
        self.num_writes += 1
        self.writers.add(threading.get_ident())
        time.sleep(self.delay_s)
        if self.refusals:
            self.refusals -= 1
            raise StoreError(f"The store {self.database.name} does not answer (database is locked).")
        super().add_points(run_id, points, update, notes, worker_id=worker_id)


@pytest.fixture
def store(settings: Settings) -> TroubledStore:
    return TroubledStore(settings.store_url)


@pytest.fixture
def run(store: Store) -> Run:
    return store.run(enqueue(store, presets.smoke())[0])


def step(number: int) -> StepDone:
    return StepDone(
        step=number, epoch=(number - 1) // 10 + 1, elapsed_s=number / 10, metrics={"train_loss": 1 / number}
    )


def epoch(number: int, *, is_best: bool) -> EpochDone:
    return EpochDone(10 * number, number, float(number), {"val_accuracy": number / 10}, is_best)


def steps_in(store: Store, run: Run) -> list[int]:
    return [point.step for point in store.points(run.id, kind="step")]


def wait_until_refused(recorder: Recorder) -> None:
    deadline = time.monotonic() + 600
    for number in range(1, 1_000_000):
        assert time.monotonic() < deadline, "it went on as if nothing were wrong"
        recorder.record(step(number))
        time.sleep(0.01)


def test_a_slow_store_delays_nobody_and_loses_nothing(store: TroubledStore, run: Run) -> None:
    store.delay_s = 0.3
    recorder = Recorder(store, run)
    began_at = time.monotonic()
    recorder.record(STARTED)
    for number in range(1, 1001):
        recorder.record(step(number))
    assert time.monotonic() - began_at < 100  # one at a time would take 300 s
    recorder.close()
    assert steps_in(store, run) == list(range(1, 1001))
    assert store.points(run.id)[0].kind == "start"
    assert store.num_writes < 30
    assert threading.get_ident() not in store.writers


def test_a_lone_point_is_in_the_store_at_once(store: TroubledStore, run: Run) -> None:
    recorder = Recorder(store, run)
    recorder.record(STARTED)
    recorder.record(step(1))
    deadline = time.monotonic() + 600  # a tenth of a second on an idle machine
    while not steps_in(store, run):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    recorder.close()


def test_quick_steps_share_transactions(store: TroubledStore, run: Run) -> None:
    recorder = Recorder(store, run)
    began_at = time.monotonic()
    recorder.record(STARTED)
    for number in range(1, 101):
        recorder.record(step(number))
        time.sleep(0.005)
    num_pauses = (time.monotonic() - began_at) / writer.PAUSE_S  # some six, more on a busy machine
    recorder.close()
    assert steps_in(store, run) == list(range(1, 101))
    assert store.num_writes <= num_pauses + 3


def test_the_runs_columns_are_those_of_the_last_point(store: TroubledStore, run: Run) -> None:
    store.delay_s = 0.05
    recorder = Recorder(store, run)
    recorder.record(STARTED)
    for number in range(1, 30):
        recorder.record(step(number))
        if number % 10 == 0:
            recorder.record(epoch(number // 10, is_best=number == 10))
    recorder.close()
    now = store.run(run.id)
    assert (now.step, now.epoch, now.total_steps) == (29, 2, 100_000)
    assert now.time_left_s is not None
    assert now.results["best_epoch"] == 1
    assert now.results["best_val_accuracy"] == pytest.approx(0.1)
    assert now.results["val_accuracy"] == pytest.approx(0.2)


def test_what_is_recorded_later_does_not_change_what_waits(store: TroubledStore, run: Run) -> None:
    """Results are written as they were: the dictionary that grows in one thread is not read in another."""
    written: list[dict[str, float]] = []

    class Noting(TroubledStore):
        def add_points(
            self,
            run_id: str,
            points: Sequence[NewPoint],
            update: RunUpdate = NO_UPDATE,
            notes: Sequence[str] = (),
            *,
            worker_id: str | None = None,
        ) -> None:
            time.sleep(0.1)
            if update.results is not None:
                written.append(dict(update.results))
            super().add_points(run_id, points, update, notes, worker_id=worker_id)

    recorder = Recorder(Noting(store.database.url), run)
    recorder.record(STARTED)
    recorder.record(epoch(1, is_best=True))
    recorder.results["test_accuracy"] = 1.0
    recorder.close()
    assert written
    assert all("test_accuracy" not in results for results in written)


def test_a_store_that_answers_again_costs_nothing(
    store: TroubledStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    store.refusals = 20
    recorder = Recorder(store, run)
    recorder.record(STARTED)
    for number in range(1, 100):
        recorder.record(step(number))
    recorder.close()
    assert steps_in(store, run) == list(range(1, 100))
    assert not store.refusals


def test_a_store_that_never_answers_ends_the_run(
    store: TroubledStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    monkeypatch.setattr(writer, "PATIENCE_S", 0.1)
    store.refusals = 1_000_000
    recorder = Recorder(store, run)
    recorder.record(STARTED)
    with pytest.raises(StoreError, match="database is locked"):
        wait_until_refused(recorder)
    with pytest.raises(StoreError, match="database is locked"):
        recorder.close()


def test_a_run_that_somebody_has_deleted_ends(store: TroubledStore, run: Run) -> None:
    recorder = Recorder(store, run)
    recorder.record(STARTED)
    store.delete(run.id)
    with pytest.raises(IntegrityError):
        wait_until_refused(recorder)


def test_the_last_points_do_not_go_unheard(store: TroubledStore, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store fails when nothing more is measured: closing tells."""
    monkeypatch.setattr(writer, "PATIENCE_S", 0.0)
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    store.refusals = 1_000_000
    recorder = Recorder(store, run)
    recorder.record(STARTED)
    with pytest.raises(StoreError, match="database is locked"):
        recorder.close()


class Witness(TroubledStore):
    """Notes how many points were there when a run's status changed."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.at_the_end: list[int] = []

    def set_status(
        self,
        run_id: str,
        status: Status,
        message: str = "",
        update: RunUpdate = NO_UPDATE,
        *,
        worker_id: str | None = None,
    ) -> None:
        self.at_the_end.append(len(self.points(run_id)))
        super().set_status(run_id, status, message, update, worker_id=worker_id)


def train(store: Store, settings: Settings, spec: RunSpec, at_step: Any = None) -> tuple[Run, list[Event]]:
    """Train here; `at_step` is called at each StepDone."""
    events: list[Event] = []

    def watch(_run: Run, event: Event) -> None:
        events.append(event)
        if isinstance(event, StepDone) and at_step is not None:
            at_step()

    runs, _ = train_here(store, settings, spec, watch)
    return runs[0], events


def assert_all_kept(store: Witness, run: Run, events: list[Event]) -> None:
    measured = [event.step for event in events if isinstance(event, StepDone | EpochDone)]
    assert [point.step for point in store.points(run.id) if point.kind != "start"] == measured
    assert store.at_the_end == [1 + len(measured)]  # in the store before the status changed


def test_everything_is_in_the_store_before_a_run_is_completed(settings: Settings, tiny: RunSpec) -> None:
    store = Witness(settings.store_url)
    store.delay_s = 0.2
    run, events = train(store, settings, tiny)
    assert run.status == Status.COMPLETED
    assert run.results["best_val_accuracy"] > 0
    assert_all_kept(store, run, events)


def test_everything_is_in_the_store_before_a_run_is_stopped(settings: Settings, tiny: RunSpec) -> None:
    store = Witness(settings.store_url)
    store.delay_s = 0.2
    run, events = train(store, settings, tiny, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert run.status == Status.STOPPED
    assert_all_kept(store, run, events)


def test_everything_is_in_the_store_before_a_run_fails(settings: Settings, tiny: RunSpec) -> None:
    store = Witness(settings.store_url)
    store.delay_s = 0.2

    def fail() -> None:
        raise MemoryError

    run, events = train(store, settings, tiny, fail)
    assert run.status == Status.FAILED
    assert "Out of memory: there was not enough" in run.message
    assert_all_kept(store, run, events)


def test_a_run_whose_points_cannot_be_kept_fails_and_says_so(
    settings: Settings, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.0)
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    store = Witness(settings.store_url)
    store.refusals = 1_000_000
    run, _ = train(store, settings, tiny)
    assert run.status == Status.FAILED
    assert "database is locked" in run.message
