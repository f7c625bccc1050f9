"""Python finds by itself what visitors leave behind, however much the server has loaded."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from dashboard.server import garbage

CODE = """
import collections, gc, threading, time, weakref
from dashboard.server import garbage

class Session:
    def __init__(self):
        self.parts = [{"session": self, "part": part} for part in range(100)]  # a circle

loaded = [{"number": [number]} for number in range(400_000)]  # as many objects as torch brings
gc.collect()
START
here, left = collections.deque(maxlen=300), []  # they grow old before they end
for visitor in range(1900):
    here.append(Session())
    left.append(weakref.ref(here[-1]))
AFTERWARDS
print(sum(ref() is not None for ref in left), len(loaded), gc.get_freeze_count() > 800_000)
"""
START = """
end = threading.Event()
thread = threading.Thread(target=garbage.free_garbage, args=(end, 0.05))
thread.start()
while not gc.get_freeze_count():
    time.sleep(0.01)
"""
STOP = """
num_looks, deadline = gc.get_stats()[2]["collections"], time.monotonic() + 60
while gc.get_stats()[2]["collections"] < num_looks + 2 and time.monotonic() < deadline:
    time.sleep(0.01)
end.set()
thread.join()
"""


def sessions_left(start: str, stop: str) -> list[str]:
    """How many of 1,900 sessions are still in memory, of which 300 have not ended; how many objects were loaded, and
    whether these are apart.
    """
    done = subprocess.run(
        [sys.executable, "-c", CODE.replace("START", start).replace("AFTERWARDS", stop)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_ended_sessions_leave_the_memory_at_the_next_look() -> None:
    assert sessions_left(START, STOP) == ["300", "400000", "True"]


def test_without_it_they_would_stay() -> None:
    """Else the test above would pass by chance."""
    assert sessions_left("", "") == ["1900", "400000", "False"]


def test_what_is_loaded_later_is_set_apart_too(monkeypatch: pytest.MonkeyPatch) -> None:
    num_modules, calls, end = iter([100, 100, 149, 150, 199, 500]), [], threading.Event()
    waits = iter([False] * 6 + [True])
    monkeypatch.setattr(end, "wait", lambda _: next(waits))
    monkeypatch.setattr(garbage, "sys", SimpleNamespace(modules=Sized(num_modules)))
    collector = SimpleNamespace(freeze=lambda: calls.append(1), unfreeze=lambda: None, collect=lambda: None)
    monkeypatch.setattr(garbage, "gc", collector)
    garbage.free_garbage(end)
    assert len(calls) == 3


class Sized:
    def __init__(self, sizes: Iterator[int]) -> None:
        self._sizes = sizes

    def __len__(self) -> int:
        return next(self._sizes)
