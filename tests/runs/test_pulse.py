"""Whether a worker lives is judged by clocks that nobody sets."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import delete

from deit_core import presets
from deit_core.runs import Status, Store, enqueue, pulse, queue, schema

HOUR_S = 3600.0


class Clocks:
    """What a person sets, and what only passes."""

    def __init__(self) -> None:
        self.wall, self.steady = 1.8e9, 5000.0

    def pass_s(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """With the wall clock the start of every process moves, as psutil tells it from when the machine was started."""
    clocks, create_time = Clocks(), psutil.Process.create_time
    began = clocks.wall
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + clocks.wall - began)
    return clocks


@pytest.fixture
def open_it(clocks: Clocks, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """The store as another process opens it."""
    opened: list[Store] = []

    def open_store() -> Store:
        url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
        opened.append(Store(url, clock=lambda: clocks.wall, steady=lambda: clocks.steady))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


def begin(store: Store, kind: str) -> str:
    """A run that trains: its worker is of this version here, of an older one, or on a machine of another name."""
    entry = queue.register(store, num_slots=1)
    assert entry is not None
    if kind == "older":
        with store.writing() as connection:
            connection.execute(delete(schema.pulses))
    if kind in ("elsewhere", "renamed"):
        with store.writing() as connection:
            connection.execute(schema.workers.update().values(host="elsewhere", pid=2**22 + 1))
            if kind == "elsewhere":
                connection.execute(schema.pulses.update().values(boot="another"))
    enqueue(store, presets.smoke())
    run = queue.claim(store, entry[0])
    assert run is not None
    return entry[0]


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S, 1e9])
@pytest.mark.parametrize("kind", ["here", "older", "elsewhere", "renamed"])
@pytest.mark.parametrize("is_new", [False, True], ids=["watched before", "opened after"])
def test_a_step_of_the_clock_between_two_beats_ends_no_run(
    clocks: Clocks, open_it: Callable[[], Store], kind: str, step_s: float, is_new: bool
) -> None:
    store = open_it()
    worker = begin(store, kind)
    assert queue.reap(store) == []
    clocks.pass_s(queue.HEARTBEAT_S / 8)
    clocks.wall += step_s
    watcher = open_it() if is_new else store
    assert queue.reap(watcher) == []
    for _ in range(200):
        clocks.pass_s(queue.HEARTBEAT_S / 4)
        assert queue.reap(watcher) == []
        assert queue.heartbeat(store, worker)


@pytest.mark.parametrize("step_s", [0.0, HOUR_S, -HOUR_S])
@pytest.mark.parametrize(
    ("kind", "found_after_s"),
    [("older", pulse.SILENT_AFTER_S), ("elsewhere", pulse.GONE_AFTER_S), ("renamed", pulse.GONE_AFTER_S)],
)
def test_a_silence_is_as_long_as_it_lasts_whatever_the_clock_says(
    clocks: Clocks, open_it: Callable[[], Store], kind: str, found_after_s: float, step_s: float
) -> None:
    """Of these no process can be looked at, or it seems to be another: only their beats tell."""
    store = open_it()
    begin(store, kind)
    with store.writing() as connection:
        connection.execute(schema.workers.update().values(process_started_at=1000.0))
    clocks.wall += step_s
    assert queue.reap(store) == []
    clocks.pass_s(found_after_s - 1)
    assert queue.reap(store) == []
    clocks.pass_s(2)
    assert len(queue.reap(store)) == 1


def test_silence_is_told_at_the_first_look_by_the_clock_of_the_machine(
    clocks: Clocks, open_it: Callable[[], Store]
) -> None:
    """A command looks but once. The worker is in another container of this machine, say."""
    begin(open_it(), "renamed")
    clocks.pass_s(pulse.GONE_AFTER_S + 1)
    assert len(queue.reap(open_it())) == 1


@pytest.mark.parametrize("change", ["ended", "reused", "restarted"])
def test_a_dead_worker_is_found_at_the_first_look(clocks: Clocks, open_it: Callable[[], Store], change: str) -> None:
    store = open_it()
    worker = begin(store, "here")
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    with store.writing() as connection:
        match change:
            case "ended":
                connection.execute(schema.workers.update().values(pid=child.pid))
            case "reused":
                connection.execute(schema.pulses.update().values(process_start=1))
            case "restarted":
                connection.execute(schema.pulses.update().values(boot="the one before"))
    clocks.wall -= HOUR_S
    assert len(queue.reap(store)) == 1
    assert store.runs()[0].status == Status.INTERRUPTED
    assert not queue.heartbeat(store, worker)
    with store.reading() as connection:
        assert connection.execute(schema.pulses.select()).all() == []


def test_a_worker_that_is_left_as_a_zombie_is_dead(open_it: Callable[[], Store]) -> None:
    store = open_it()
    begin(store, "here")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with store.writing() as connection:
            connection.execute(schema.workers.update().values(pid=child.pid))
            connection.execute(schema.pulses.update().values(process_start=pulse.process_start(child.pid)))
        assert queue.reap(store) == []
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked how
        assert len(queue.reap(store)) == 1


def test_a_store_of_an_older_version_takes_workers(open_it: Callable[[], Store]) -> None:
    store = open_it()
    with store.writing() as connection:
        schema.pulses.drop(connection)
        connection.exec_driver_sql("PRAGMA user_version = 0")
    begin(open_it(), "here")
    assert queue.reap(store) == []


def test_experiments_keep_their_order_when_the_clock_goes_back(clocks: Clocks, open_it: Callable[[], Store]) -> None:
    store = open_it()
    for name in ("first", "second"):
        enqueue(store, presets.digits_quick().with_changes(name=name))
        clocks.wall -= HOUR_S
    assert [one.name for one in store.experiments()] == ["first", "second"]


def test_the_age_of_a_process_is_not_that_of_the_clock(clocks: Clocks) -> None:
    before = pulse.process_age_s()
    assert before == pytest.approx(time.time() - psutil.Process().create_time(), abs=2)
    clocks.wall += HOUR_S
    assert before <= pulse.process_age_s() < before + 10
