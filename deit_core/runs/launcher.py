"""Starting runs: from a spec to queued rows, and enough detached workers to train them.

Knows the store and processes; nothing of torch. The local engine: workers are processes of this machine, each in a
session of its own with its output in a file, so nothing that happens to who started them reaches them.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from deit_core.errors import SpecError
from deit_core.runs import queue
from deit_core.runs.store import Store, new_id
from deit_core.settings import Settings
from deit_core.spec import AnySpec, ExperimentSpec, RunSpec


class LocalLauncher:
    """Keeps the queue moving on this machine."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()  # every visitor's poll comes by here

    def submit(self, spec: AnySpec) -> list[str]:
        """Queue a run or an experiment and see to it that somebody trains it. Returns the ids of its runs."""
        run_ids = enqueue(self.store, spec, self.settings.runs_dir)
        self.tend()
        return run_ids

    def tend(self) -> None:
        """Notice workers that are gone, and start what the queue lacks. Cheap: call it at every poll."""
        with self._lock:
            self._children = [child for child in self._children if child.poll() is None]  # collects those that ended
            queue.reap(self.store)
            if queue.has_ready(self.store):
                here = queue.workers_here(self.store)
                filled = sum(slot is not None for slot in here.values())
                starting = sum(child.pid not in here for child in self._children)
                if filled + starting < self.settings.num_workers:
                    self._children.append(start_worker(self.settings))

    def resume(self, run_id: str) -> None:
        self.store.resume(run_id)
        self.tend()

    def delete(self, run_id: str) -> None:
        """Delete a run, and the folder with its checkpoints."""
        self.store.delete(run_id)
        folder = run_folder(self.settings.runs_dir, run_id)
        if folder.exists():
            shutil.rmtree(folder)


def submit(store: Store, spec: AnySpec, settings: Settings | None = None) -> list[str]:
    """Queue a run or an experiment and see to it that a detached worker trains it.

    Args: settings: where runs and data lie; by default from the environment.
    Returns: the ids of the runs, in the experiment's order.
    """
    return LocalLauncher(store, settings or Settings.from_env()).submit(spec)


def enqueue(store: Store, spec: AnySpec, runs_dir: Path, *, reserved_for: str | None = None) -> list[str]:
    """Queue a run or an experiment without starting a worker.

    Inside an experiment a teacher's name becomes its run's id, which is also the name of its folder.

    Raises: SpecError when a teacher is neither a run of the store nor a checkpoint on this machine.
    """
    is_experiment = isinstance(spec, ExperimentSpec)
    members = spec.runs if isinstance(spec, ExperimentSpec) else (spec,)
    ids = {run.name: new_id() for run in members}
    known = {run.id: run.status for run in store.runs()}
    specs: dict[str, RunSpec] = {}
    needs: dict[str, Sequence[str]] = {}
    for run in members:
        run_id = ids[run.name]
        if run.distillation is not None:
            teacher = (
                ids.get(run.distillation.teacher, run.distillation.teacher)
                if is_experiment
                else run.distillation.teacher
            )
            run = run.model_copy(update={"distillation": run.distillation.model_copy(update={"teacher": teacher})})
            if teacher in known or teacher in ids.values():
                needs[run_id] = [teacher]
            elif not Path(teacher).exists():
                raise SpecError(
                    f"The teacher {teacher!r} of {run.name!r} is neither a run nor a checkpoint's path; set "
                    "distillation.teacher to the id of a run (`python -m deit_core runs` lists them), or start the "
                    "whole experiment."
                )
        specs[run_id] = run
    experiment = (spec.name, spec.description) if isinstance(spec, ExperimentSpec) else None
    store.add(specs, needs, experiment=experiment, reserved_for=reserved_for)
    return list(specs)


def run_folder(runs_dir: Path, run_id: str) -> Path:
    """Where a run's checkpoints and its log lie."""
    return runs_dir / run_id


def log_file(runs_dir: Path, run_id: str) -> Path:
    return run_folder(runs_dir, run_id) / "log.txt"


def log_tail(runs_dir: Path, run_id: str, num_lines: int = 40) -> str:
    """The last lines of a run's log; empty before its first."""
    try:
        with log_file(runs_dir, run_id).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * num_lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-num_lines:])
    except FileNotFoundError:
        return ""


def start_worker(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a worker process that outlives this one."""
    settings.runs_dir.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "DEIT_STORE": settings.store_url,
        "DEIT_RUNS_DIR": str(settings.runs_dir),
        "DEIT_DATA_DIR": str(settings.data_dir),
        "DEIT_WORKERS": str(settings.num_workers),
    }
    with (settings.runs_dir / "workers.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "deit_core.runs.worker"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),  # the same on Windows
        )
