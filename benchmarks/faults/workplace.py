"""A runs folder with its store, workers and the dashboard's server, all of which can be struck by signals.

Knows processes; nothing of when they are struck, or of what is left of a run.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from deit_core.runs import LocalLauncher, Run, Status, open_store, queue
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec

PATIENCE_S = 300.0


class Workplace:
    def __init__(self, folder: Path, *, has_server: bool) -> None:
        runs_dir = folder / "runs"
        self.settings = Settings(f"sqlite:///{runs_dir / 'runs.sqlite'}", runs_dir, folder / "data", num_workers=1)
        self._has_server = has_server
        self._server: subprocess.Popen[bytes] | None = None
        self.open()

    def open(self) -> None:
        """Open the store, also after a power cut."""
        self.store = open_store(self.settings.store_url)
        self._launcher = LocalLauncher(self.store, self.settings)

    def submit(self, spec: ExperimentSpec) -> list[str]:
        return self._launcher.submit(spec)

    def keep_going(self) -> None:
        """What a person does after a crash: start the server again, and resume what can be resumed."""
        if self._has_server and (self._server is None or self._server.poll() is not None):
            self._server = self._serve()
        self._launcher.ensure_workers()
        for run in self.store.runs():
            if run.status.can_resume:
                self._launcher.resume(run.id)

    def unfinished(self) -> list[Run]:
        return [run for run in self.store.runs() if run.status != Status.COMPLETED]

    def pids(self, who: str) -> list[int]:
        """The processes of "worker", "server" or "both"."""
        workers = [worker.pid for worker in queue.registered_here(self.store)] if who != "server" else []
        return workers + ([self._server.pid] if self._server is not None and who != "worker" else [])

    def strike(self, pids: Sequence[int], number: signal.Signals) -> None:
        """Send a signal; a stopped process goes on some seconds later, a killed one has ended on return."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGSTOP:
            time.sleep(2)
            self.strike(pids, signal.SIGCONT)
        if number == signal.SIGKILL:
            deadline = time.monotonic() + PATIENCE_S
            while any(_is_alive(pid) for pid in pids):
                assert time.monotonic() < deadline, "a killed process lives"
                time.sleep(0.01)

    def close(self) -> None:
        self.strike(self.pids("both"), signal.SIGKILL)
        self.store.close()

    def _serve(self) -> subprocess.Popen[bytes]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless", "true"]
        command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
        environment = os.environ | self.settings.environment()
        root, nothing = Path(__file__).parents[2], subprocess.DEVNULL
        return subprocess.Popen(command, cwd=root, env=environment, stdout=nothing, stderr=nothing)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
