"""A worker that stands by: there before it is needed, in nobody's way, and gone again by itself."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from deit_core import presets
from deit_core.runs import LocalLauncher, Status, Store, enqueue, open_store, queue, spare, workers_here
from deit_core.settings import Settings
from deit_core.spec import RunSpec


def wait_for(condition: Callable[[], object], timeout_s: float = 600.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


def process_of(store: Store) -> psutil.Process:
    wait_for(lambda: queue.registered_here(store))
    (entry,) = queue.registered_here(store)
    return psutil.Process(entry.pid)


def test_a_spare_trains_what_is_submitted_and_leaves(launcher: LocalLauncher, tiny: RunSpec) -> None:
    store = launcher.store
    launcher.warm()
    launcher.warm()
    process = process_of(store)
    launcher.warm()
    foreground = queue.register(store, None)
    assert foreground is not None
    (reserved,) = enqueue(store, tiny, reserved_for=foreground[0])
    launcher.ensure_workers()
    assert workers_here(store) == []
    (run_id,) = launcher.submit(tiny)
    wait_for(lambda: workers_here(store))
    assert [here.pid for here in workers_here(store)] == [process.pid]
    wait_for(lambda: not store.run(run_id).status.is_active)
    assert store.run(run_id).status == Status.COMPLETED
    wait_for(lambda: {here.pid for here in queue.registered_here(store)} == {os.getpid()})
    assert store.run(reserved).status == Status.QUEUED
    assert not launcher.trouble


def test_with_two_places_a_spare_leaves_the_other_one_empty(
    store: Store, settings: Settings, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run needs no second worker; two runs do."""
    started = note_starts(monkeypatch)
    launcher = LocalLauncher(store, Settings(settings.store_url, settings.runs_dir, settings.data_dir, num_workers=2))
    launcher.warm()
    launcher.warm()
    ((spare_id, is_spare),) = started
    assert is_spare
    assert queue.register(store, 2, worker_id=spare_id) is not None
    launcher.submit(tiny)
    assert len(started) == 1
    launcher.submit(tiny)
    assert [is_spare for _, is_spare in started] == [True, False]
    launcher.submit(tiny)
    assert len(started) == 2


def test_nobody_stands_by_where_somebody_works(
    launcher: LocalLauncher, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = note_starts(monkeypatch)
    queue.register(launcher.store, 1)
    launcher.warm()
    assert started == []


def note_starts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Start nothing; the list fills with the id of each worker, and whether it was to be a spare."""
    started: list[tuple[str, bool]] = []

    class Process:
        def poll(self) -> None:
            return None

    def start(_store: Store, _settings: Settings, worker_id: str, is_spare: bool) -> Process:
        started.append((worker_id, is_spare))
        return Process()

    monkeypatch.setattr("deit_core.runs.engines.local.start_worker", start)
    return started


def test_a_spare_that_is_told_to_end_ends(launcher: LocalLauncher) -> None:
    launcher.warm()
    process = process_of(launcher.store)
    wait_for(lambda: process.num_threads() > 1)  # it beats, and by then it listens
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: not queue.registered_here(launcher.store))
    assert process.wait(600) == 0, "another status counts as a failed start"


def stand_by(
    store: Store, *, starter: int | None = None, is_ending: Callable[[], bool] = lambda: False, wait_s: float = 600.0
) -> threading.Thread:
    args = (store, starter or os.getpid(), is_ending, wait_s)
    thread = threading.Thread(target=spare.stand_by, args=args, daemon=True)
    thread.start()
    thread.join(0.5)
    return thread


def assert_ends(waiting: threading.Thread) -> None:
    waiting.join(600)
    assert not waiting.is_alive()


def test_it_waits_for_a_run_that_it_may_take(store: Store) -> None:
    enqueue(store, presets.smoke(), reserved_for="someone")
    waiting = stand_by(store)
    assert waiting.is_alive()
    enqueue(store, presets.smoke())
    assert_ends(waiting)


def test_it_waits_no_longer_than_it_should(store: Store) -> None:
    assert_ends(stand_by(store, wait_s=0.2))


def test_it_goes_when_the_store_is_gone(store: Store, settings: Settings) -> None:
    waiting = stand_by(store)
    assert waiting.is_alive()
    shutil.rmtree(settings.runs_dir)
    assert_ends(waiting)


def test_it_goes_when_who_asked_for_it_is_gone(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as starter:
        waiting = stand_by(store, starter=starter.pid)
        assert waiting.is_alive()
    assert_ends(waiting)


def test_it_goes_when_it_is_told_to(store: Store) -> None:
    ending = threading.Event()
    waiting = stand_by(store, is_ending=ending.is_set)
    assert waiting.is_alive()
    ending.set()
    assert_ends(waiting)


def test_what_it_loads_is_what_a_first_step_needs_and_no_more(settings: Settings) -> None:
    """Whatever a training imports later, whoever waits for its first step waits for too."""
    code = f"""
import sys
from pathlib import Path
from deit_core import presets
from deit_core.runs import spare
spare.load()
from deit_core.events import StepDone
from deit_core.training import train
before = set(sys.modules)
for event in train(presets.digits_quick().runs[1], run_dir=Path({str(settings.runs_dir)!r}) / "one", group_s=0.0):
    if isinstance(event, StepDone):
        break
late = sorted(set(sys.modules) - before)
assert len(late) < 20, late
assert "torch._dynamo" not in sys.modules, "it takes as long to load as torch, and few runs compile"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
