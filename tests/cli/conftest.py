"""The program in a folder of its own, a run there that has ended well, and file systems that refuse to be written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from program import Program

from deit_core import presets
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import RunUpdate, Status, enqueue, open_store
from deit_core.settings import Settings
from deit_core.spec import replace


@pytest.fixture
def deit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.chdir(tmp_path)
    for variable in ("DEIT_STORE", "DEIT_WORKERS", "DEIT_LOGITS_GB", "DEIT_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "runs"))
    return Program(monkeypatch)


@pytest.fixture
def run_id(deit: Program) -> str:
    """A completed run with weights in the program's store, named in another alphabet."""
    spec = replace(presets.smoke(), {"name": "Первый ☃"})
    settings = Settings.from_env()
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, spec)
    results = {"best_val_accuracy": 0.5, "test_accuracy": 0.5, "best_epoch": 1, "num_params": 9, "train_time_s": 1.0}
    store.set_status(run_id, Status.COMPLETED, update=RunUpdate(results=results))
    store.close()
    card = ModelCard(
        spec=spec, classes=tuple("0123456789"), in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1
    )
    folder = run_folder(settings.runs_dir, run_id)
    save_weights(folder / "best.safetensors", build_model(spec, num_classes=10), card)
    return run_id


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own in a folder; needs root."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a file system, and not everywhere")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nobody may write: for root, who may anywhere, a file system that can only be read."""
    folder = tmp_path / "sealed"
    if os.geteuid():
        folder.mkdir(mode=0o500)
        yield folder
        return
    with mounted(folder, "ro"):
        yield folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    with mounted(tmp_path / "disk", "size=1m"):
        yield tmp_path / "disk"
