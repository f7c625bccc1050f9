"""A kill at any moment between two writes costs nothing: after a resume, row and points are those of a twin."""

from collections.abc import Iterator

import pytest

from benchmarks.faults.agreement import differences, outcome
from deit_core.events import EpochDone
from deit_core.runs import Status, Store, open_store, queue
from deit_core.runs.foreground import train_here
from deit_core.runs.worker import Worker
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace

ALL = 1000


class _KilledError(BaseException):
    """As good as a SIGKILL: no handler of errors takes it."""


class Power:
    """Ends all work when files are flushed for the n-th time; points reach the store only before the `lag` last times.

    Files are flushed after they are written, and again after they got their names: each is a moment of its own.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.num_flushes, self.last, self.lag = 0, ALL, 0
        self._is_gone = False
        honest = Store.add_points

        def flush(_file: int) -> None:
            self.num_flushes += 1
            if self.num_flushes >= self.last:
                self._is_gone = True
                raise _KilledError

        def add_points(store: Store, *arguments: object, **options: object) -> None:
            if not self._is_gone and self.num_flushes < self.last - self.lag:
                honest(store, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr("deit_core.files.os.fsync", flush)
        monkeypatch.setattr(Store, "add_points", add_points)

    def last_until(self, flush: int, lag: int) -> None:
        self.num_flushes, self.last, self.lag, self._is_gone = 0, flush, lag, False


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> Iterator[Power]:
    yield Power(monkeypatch)
    monkeypatch.undo()


@pytest.fixture
def short(tiny: RunSpec) -> RunSpec:
    changes = {"data.fraction": 0.2, "optim.epochs": 2, "compute.num_threads": 1}
    return replace(tiny, changes)


def resume(store: Store, settings: Settings, run_id: str) -> None:
    entry = queue.register(store, num_slots=None)
    assert entry is not None
    store.resume(run_id, reserved_for=entry[0])
    Worker(store, settings, *entry).work()


def test_a_kill_at_any_write_leaves_no_trace(power: Power, settings: Settings, short: RunSpec) -> None:
    store = open_store(settings.store_url)
    train_here(store, settings, short, lambda *_: None)  # which also chooses a plan, once
    power.last_until(ALL, 0)
    flushes_at: list[int] = []  # after each epoch
    (run,), _ = train_here(
        store,
        settings,
        short,
        lambda _, event: flushes_at.append(power.num_flushes) if isinstance(event, EpochDone) else None,
    )
    twin, num_flushes = outcome(store, run.id, settings.runs_dir), power.num_flushes
    assert twin.flaws == []
    assert twin.row["status"] == Status.COMPLETED
    wrong: dict[int, list[str]] = {}
    for flush in range(flushes_at[0] + 1, num_flushes + 1):
        power.last_until(flush, lag=ALL if flush // 2 % 2 else 0)
        with pytest.raises(_KilledError):
            train_here(store, settings, short, lambda *_: None)
        power.last_until(ALL, 0)
        run = store.runs()[0]
        assert run.status == Status.INTERRUPTED
        resume(store, settings, run.id)
        if found := differences(outcome(store, run.id, settings.runs_dir), twin):
            wrong[flush] = found
    assert wrong == {}, f"{len(wrong)} of {num_flushes - flushes_at[0]}"
