"""What every engine promises: a class of tests that a test module inherits, with a fixture `engine` of its own."""

import os
import signal
import time
from collections.abc import Callable

from sqlalchemy import select

from deit_core.runs import LocalLauncher, Status, enqueue, log_tail, queue, schema
from deit_core.runs.engines import Engine
from deit_core.spec import RunSpec, replace


def wait_for(launcher: LocalLauncher, condition: Callable[[], bool], timeout_s: float = 600.0) -> None:
    """Poll as a server does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert not launcher.trouble, launcher.trouble
        assert time.monotonic() < deadline, [(r.name, r.status, r.message) for r in launcher.store.runs()]
        time.sleep(0.2)
        launcher.ensure_workers()


class EngineContract:
    def test_it_starts_nothing_for_an_empty_queue(self, engine: Engine, launcher: LocalLauncher) -> None:
        launcher.ensure_workers()
        assert queue.registered(launcher.store) == set()
        assert not engine.trouble

    def test_a_stopped_run_a_lost_worker_and_the_end_of_the_queue(
        self, engine: Engine, launcher: LocalLauncher, tiny: RunSpec
    ) -> None:
        store = launcher.store
        long = replace(tiny, {"optim.epochs": 200, "compute.num_threads": 1})  # where more, it might try compiling
        (stopped,), (lost,), (short,) = (enqueue(store, spec) for spec in (long, long, tiny))
        wait_for(launcher, lambda: store.run(stopped).step > 0)
        launcher.stop(stopped)
        wait_for(launcher, lambda: store.run(stopped).status == Status.STOPPED)
        wait_for(launcher, lambda: store.run(lost).step > 0)
        with store.reading() as connection:
            of_run = schema.workers.c.id == store.run(lost).worker_id
            pid = connection.scalar(select(schema.workers.c.pid).where(of_run))
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_for(launcher, lambda: any("is gone" in event.message for event in store.lifecycle(lost)))
        assert {event.status for event in store.lifecycle(lost)} <= {
            Status.QUEUED,
            Status.RUNNING,
            Status.INTERRUPTED,
        }
        launcher.stop(lost) if store.run(lost).status.is_active else None
        wait_for(launcher, lambda: not any(run.status.is_active for run in store.runs()))
        assert store.run(short).status == Status.COMPLETED
        assert "epoch 1" in log_tail(launcher.settings.runs_dir, short)
        wait_for(launcher, lambda: queue.registered(store) == set())
