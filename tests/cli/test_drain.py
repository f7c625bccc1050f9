"""`work` that is asked to end finishes the run that trains, and leaves the others in the queue."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import Program

from deit_core.runs import Status, enqueue, open_store, queue
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_drains(number: signal.Signals, deit: Program, tiny: RunSpec, tmp_path: Path) -> None:
    store = open_store(Settings.from_env().store_url)
    spec = replace(tiny, {"optim.epochs": 20, "compute.num_threads": 1})
    (first,), (second,) = (enqueue(store, spec) for _ in range(2))
    work = subprocess.Popen([sys.executable, "-m", "deit_core", "work"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while store.run(first).step == 0:
        assert time.monotonic() < deadline, store.run(first).message
        time.sleep(0.1)
    assert store.run(first).status == Status.RUNNING
    os.kill(work.pid, number)
    _, said = work.communicate(timeout=600)
    assert work.returncode == 0, said
    assert "ends with those that train" in said
    assert [store.run(run_id).status for run_id in (first, second)] == [Status.COMPLETED, Status.QUEUED]
    assert queue.registered(store) == set()
