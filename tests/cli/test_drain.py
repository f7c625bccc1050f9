"""`work` that is asked to end finishes the run that trains, and leaves the others in the queue."""

import os
import signal
import sys
import threading
import time

import pytest
from program import Program

from deit_core.runs import Status, enqueue, open_store, queue
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_work_drains(deit: Program, tiny: RunSpec) -> None:
    store = open_store(Settings.from_env().store_url)
    spec = replace(tiny, {"optim.epochs": 20, "compute.num_threads": 1})
    (first,), (second,) = (enqueue(store, spec) for _ in range(2))
    statuses = []

    def end() -> None:
        deadline = time.monotonic() + 600
        while store.run(first).step == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        statuses.append(store.run(first).status)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end).start()
    done = deit("work")
    assert statuses == [Status.RUNNING], store.run(first).message
    assert done.code == 0
    assert "ends when its runs have ended" in done.stderr.decode()
    assert [store.run(run_id).status for run_id in (first, second)] == [Status.COMPLETED, Status.QUEUED]
    assert queue.registered(store) == set()
