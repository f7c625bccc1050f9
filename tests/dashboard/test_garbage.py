"""Python finds by itself what visitors leave behind, however much the server has loaded."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from dashboard.server import garbage

CODE = """
import collections, gc, threading, weakref
from dashboard.server import garbage

class Session:
    def __init__(self):
        self.parts = [{"session": self, "part": part} for part in range(100)]  # a circle

loaded = [{"number": [number]} for number in range(400_000)]  # as many objects as torch brings
gc.collect()
APART
here, left = collections.deque(maxlen=300), []  # they grow old before they end
for visitor in range(1900):
    here.append(Session())
    left.append(weakref.ref(here[-1]))
print(sum(ref() is not None for ref in left), len(loaded), gc.get_freeze_count() > 800_000)
"""
APART = """
end = threading.Event()
garbage._LOOK_S = 0.01
thread = threading.Thread(target=garbage.keep_loaded_apart, args=(end,))
thread.start()
while not gc.get_freeze_count():
    pass
end.set()
thread.join()
"""


def sessions_left(apart: str) -> list[str]:
    """How many of 1,900 sessions are still in memory, of which 300 have not ended; how many objects were loaded, and
    whether these are apart.
    """
    done = subprocess.run(
        [sys.executable, "-c", CODE.replace("APART", apart)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_ended_sessions_leave_the_memory_by_themselves() -> None:
    left, loaded, is_apart = sessions_left(APART)
    assert 300 <= int(left) < 1300
    assert (loaded, is_apart) == ("400000", "True")


def test_without_it_they_would_stay() -> None:
    """Else the test above would pass by chance."""
    assert sessions_left("")[0] == "1900"


def test_what_is_loaded_later_is_set_apart_too(monkeypatch: pytest.MonkeyPatch) -> None:
    num_modules, calls, end = iter([100, 100, 149, 150, 199, 500]), [], threading.Event()
    waits = iter([False] * 6 + [True])
    monkeypatch.setattr(end, "wait", lambda _: next(waits))
    monkeypatch.setattr(garbage, "sys", SimpleNamespace(modules=Sized(num_modules)))
    monkeypatch.setattr(garbage, "set_apart", lambda: calls.append(1))
    garbage.keep_loaded_apart(end)
    assert len(calls) == 3


class Sized:
    def __init__(self, sizes: Iterator[int]) -> None:
        self._sizes = sizes

    def __len__(self) -> int:
        return next(self._sizes)
