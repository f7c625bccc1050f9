"""The line on the machine knows busy cores, whichever thread asks."""

import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from dashboard import machine


def test_busy_cores_are_counted_across_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 100.0, "idle": 50.0}
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(idle=clock["idle"] - 7, iowait=7.0))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)
    cores, heard = machine.CoresInUse(), []

    def ask(after_s: float, idle_s: float) -> None:
        clock["now"] += after_s
        clock["idle"] += idle_s
        heard.append(cores())

    for asked in ((10, 25), (0.1, 0.4), (4.9, 4.6)):
        thread = threading.Thread(target=ask, args=asked)
        thread.start()
        thread.join()
    assert heard == pytest.approx([1.5, 1.5, 3.0])
