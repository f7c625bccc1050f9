"""A worker whose run is on several devices: it starts the other ranks itself, and again when one is gone."""

import os
import signal
import sys

import psutil
import pytest

from deit_core.events import Event, StepDone
from deit_core.runs import Run, Status, open_store
from deit_core.runs.curves import Curves
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace


@pytest.mark.skipif(os.environ.get("CLUSTER") != "1", reason="starts processes that train: make test-cluster")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_lost_rank_leaves_one_curve_and_a_completed_run(settings: Settings, tiny: RunSpec) -> None:
    spec = replace(tiny, {"data.fraction": 0.3, "compute.devices": 2})  # five steps in each of two epochs
    killed: list[int] = []

    def kill_once(_run: Run, event: Event) -> None:
        if isinstance(event, StepDone) and event.step > 5 and not killed:
            (other,) = (one for one in psutil.Process().children() if "deit_core.training.follower" in one.cmdline())
            killed.append(other.pid)
            os.kill(other.pid, signal.SIGKILL)

    store = open_store(settings.store_url)
    ((run,), mistake) = train_here(store, settings, spec, kill_once)
    assert mistake is None
    assert (run.status, run.step) == (Status.COMPLETED, 10)
    assert [point.step for point in Curves(store).of(run) if point.kind == "epoch"] == [5, 10]
    notes = [entry.message for entry in store.lifecycle(run.id)]
    assert len(killed) == 1
    assert any("ended by signal 9" in note and "were started again" in note for note in notes), notes
