"""Predictions of finished runs that have none: made in this process, or for a page in a process of its own.

The page starts the process and reads its output; it never waits. Loads no torch, except where it predicts.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

from deit_core.errors import ResourceError, RunError
from deit_core.events import Reading
from deit_core.layout import RunFiles, run_folder
from deit_core.machine.limits import num_cores
from deit_core.machine.own_limit import limit_in_words, limited_memory
from deit_core.machine.threads import spin_briefly
from deit_core.runs.records import Run, Status
from deit_core.settings import Settings


def predict_run(run: Run, settings: Settings, on_progress: Callable[[Reading], None]) -> list[str]:
    """Write the predictions of a run. Returns: sentences on what is left out.

    Raises: DeitError where the run is not completed, its weights or data are missing or damaged, or memory is too
        small.
    """
    check_completed(run)
    spin_briefly()
    from deit_core.training.memory import is_out_of_memory
    from deit_core.training.predict import predict

    try:
        with limited_memory():
            return predict(
                run.spec,
                run_dir=run_folder(settings.runs_dir, run.id),
                data_dir=settings.data_dir,
                num_threads=max(1, num_cores() // max(1, settings.num_workers)),
                on_progress=on_progress,
            )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"Out of memory: there was not enough for the data and the model{limit_in_words()}; end other programs and "
            "try again."
        ) from error


def check_completed(run: Run) -> None:
    """Raises: RunError for a run that is not completed: test images are looked at once, at the end."""
    if run.status != Status.COMPLETED:
        raise RunError(
            f"Run {run.number} {run.name} is {run.status}, and only a completed run has predictions; wait for it, or "
            f"`python -m deit_core resume {run.number}`."
        )


class Predictor:
    """Starts one process after another, each of which makes the predictions of one run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def request(self, run: Run) -> None:
        """Start a process for a run, unless one is at work for any.

        Raises: RunError for one that is not completed, or whose folder is gone.
        """
        check_completed(run)
        if not (folder := self._files(run.id).folder).is_dir():
            raise RunError(f"Run {run.number} {run.name}: its folder {folder} is gone; put it back, or delete the run.")
        with self._lock:
            if any(child.poll() is None for child in self._children.values()):
                return
            with self._files(run.id).predict_log.open("wb") as log:
                self._children[run.id] = subprocess.Popen(
                    [sys.executable, "-m", "deit_core", "predict", run.id],
                    env=os.environ | self.settings.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def is_at_work(self, run_id: str) -> bool:
        child = self._children.get(run_id)
        return child is not None and child.poll() is None

    def last_words(self, run_id: str) -> str:
        """The last line of the process for a run: its progress, or why it failed; empty where it said nothing."""
        try:
            lines = self._files(run_id).predict_log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return lines[-1] if lines else ""

    def _files(self, run_id: str) -> RunFiles:
        return RunFiles(run_folder(self.settings.runs_dir, run_id))
