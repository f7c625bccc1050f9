"""Measured estimates of how long a spec takes on this machine, made by a separate process and kept in files.

The page starts the process and reads the file; it never waits. Knows no torch.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from deit_core.files import write_atomically
from deit_core.layout import estimates_folder
from deit_core.machine.limits import num_cores
from deit_core.memory import check_granted
from deit_core.settings import Settings
from deit_core.spec import AnySpec, trainings
from deit_core.text.json_text import parse_json


@dataclass(frozen=True)
class Estimate:
    """Seconds for the whole spec, and by name for each of its runs with all seeds.

    `error` is a sentence where it cannot be measured.
    """

    duration_s: float
    run_s: dict[str, float]
    error: str = ""


class Estimates:
    """One file per spec; specs that take equally long share it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._measuring: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def get(self, spec: AnySpec) -> Estimate | None:
        """The estimate, once it has been measured."""
        try:
            return Estimate(**parse_json(self.file(spec).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):  # missing, or from another version
            return None

    def is_measuring(self, spec: AnySpec) -> bool:
        child = self._measuring.get(_key(spec))
        return child is not None and child.poll() is None

    def request(self, spec: AnySpec) -> None:
        """Start a process that measures this spec, unless it is known or any spec is being measured.

        Raises: ResourceError where a run of it needs more memory than this machine grants.
        """
        check_granted(spec, self.settings.runs_dir)
        with self._lock:
            if self.get(spec) is not None or any(child.poll() is None for child in self._measuring.values()):
                return
            file = self.file(spec)
            spec_file = file.with_suffix(".spec.json")
            write_atomically(spec_file, spec.model_dump_json().encode())
            with file.with_suffix(".log").open("wb") as log:
                self._measuring = {
                    _key(spec): subprocess.Popen(
                        [sys.executable, "-m", "deit_core.runs.estimator", str(spec_file), str(file)],
                        env=os.environ | self.settings.environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                }

    def cancel(self) -> None:
        """Stop the measuring: a training is about to start, and each would slow the other."""
        with self._lock:
            for child in self._measuring.values():
                if child.poll() is None:
                    child.terminate()
                    child.wait()
            self._measuring = {}

    def forget(self, spec: AnySpec) -> None:
        """Delete the estimate, so that it can be measured again."""
        self.file(spec).unlink(missing_ok=True)

    def file(self, spec: AnySpec) -> Path:
        """The file with the estimate of a spec."""
        return estimates_folder(self.settings.runs_dir) / f"{_key(spec)}.json"


def save_estimate(path: Path, estimate: Estimate) -> None:
    write_atomically(path, json.dumps(asdict(estimate)).encode())


def _key(spec: AnySpec) -> str:
    """What the time depends on: the runs without their words and seeds, this machine's cores, and torch's build."""
    runs = trainings(spec)
    parts = [
        run.model_dump_json(include={"name", "data", "model", "distillation", "optim", "augment", "compute"})
        for run in runs
    ]
    return hashlib.sha256("\n".join([*parts, f"{num_cores()} cores", version("torch")]).encode()).hexdigest()[:16]
