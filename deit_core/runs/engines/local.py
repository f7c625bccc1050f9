"""Workers as processes of this machine, each in its own session with its output in a file.

So they are independent of the process that started them. Knows the queue and processes; nothing of torch.
"""

import os
import subprocess
import sys
from dataclasses import replace

from deit_core.runs import queue
from deit_core.runs.engines import MAX_FAILED_STARTS, Engine
from deit_core.runs.store import Store, new_id
from deit_core.runs.wants import Takes
from deit_core.settings import Settings

WORKER_ID_VARIABLE = "DEIT_WORKER_ID"
SPARE_VARIABLE = "DEIT_SPARE_OF"
TAKES = Takes("local")
_WORKERS_LOG = "workers.log"


class LocalEngine(Engine):
    """Starts up to `settings.num_workers` processes, together with those that other processes have started."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self._starting: dict[str, subprocess.Popen[bytes]] = {}  # by worker id
        self._num_failed_starts = 0

    def ensure_workers(self) -> None:
        self._collect()
        if num_ready := queue.num_ready(self.store, TAKES, at_most=self.settings.num_workers):
            here = queue.registered_here(self.store)
            at_work = {worker.id for worker in queue.workers_here(self.store)}
            slotted = {worker.id for worker in here if worker.slot is not None}
            starting = self._starting.keys() - {worker.id for worker in here}
            num_lacking = num_ready - len(slotted - at_work) - len(starting)
            num_allowed = self.settings.num_workers - len(slotted) - len(starting)
            for _ in range(min(num_lacking, num_allowed)):
                self._start()

    def warm(self) -> None:
        """Start a worker that loads torch and waits for the next run that a user submits.

        It waits for some minutes and then ends. Does nothing if this machine has a worker already, or the store is
        gone: the worker would create a new one. Cheap.
        """
        self._collect()
        is_wanted = self.settings.num_workers > 0 and self.store.is_there
        if is_wanted and not self._starting and not queue.registered_here(self.store):
            self._start(is_spare=True)

    @property
    def trouble(self) -> str:
        """A message if workers end as soon as they start, else empty."""
        if self._num_failed_starts < MAX_FAILED_STARTS:
            return ""
        return f"Workers cannot start; {self.settings.runs_dir / _WORKERS_LOG} says why. Then submit or resume a run."

    def try_again(self) -> None:
        self._num_failed_starts = 0

    def _start(self, *, is_spare: bool = False) -> None:
        if self._num_failed_starts < MAX_FAILED_STARTS:
            worker_id = new_id()
            self._starting[worker_id] = start_worker(self.store, self.settings, worker_id, is_spare)

    def _collect(self) -> None:
        """Forget processes that have ended, and count failed starts in sequence."""
        for worker_id, process in list(self._starting.items()):
            status = process.poll()
            if status is not None:
                del self._starting[worker_id]
                self._num_failed_starts = self._num_failed_starts + 1 if status > 0 else 0


def start_worker(store: Store, settings: Settings, worker_id: str, is_spare: bool = False) -> subprocess.Popen[bytes]:
    """Start a worker process that outlives this one.

    Args:
        worker_id: its name in the store.
        is_spare: whether it loads torch and waits for its first run, for some minutes or until this process ends.
    """
    settings.runs_dir.mkdir(parents=True, exist_ok=True)
    environment = os.environ | replace(settings, store_url=store.database.url).environment()
    environment |= {
        WORKER_ID_VARIABLE: worker_id,
        SPARE_VARIABLE: str(os.getpid()) if is_spare else "",
    }
    with (settings.runs_dir / _WORKERS_LOG).open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deit_core.runs.worker"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),  # the same on Windows
        )
