"""What every test needs: few threads, small specs that train in seconds, and no process that outlives the tests."""

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import SmallDisk

from benchmarks.guard import end_with_me
from benchmarks.postgres import PostgresServer, postgres_server
from deit_core import presets
from deit_core.machine.threads import spin_briefly
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec, replace

if "PYTEST_XDIST_WORKER" in os.environ:  # one of as many as there are cores
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["DEIT_DEMO_RUNS"] = "0"  # a test that wants them says so
spin_briefly()  # torch is not loaded yet; a worker does the same
end_with_me()


def pytest_collection_finish() -> None:
    gc.freeze()  # else each collection looks through all that the modules of tests have loaded: most of a second


@pytest.fixture(scope="session")
def tiny() -> RunSpec:
    """A plain ViT on digits: 17 steps per epoch, about 0.2 s each epoch."""
    changes = {"model.drop_rate": 0.1, "model.attn_drop_rate": 0.1, "compute.precision": "float32"}
    return replace(presets.smoke(), {"name": "tiny", **changes})


@pytest.fixture(scope="session")
def tiny_trio() -> ExperimentSpec:
    """Teacher, ViT and DeiT on digits, seconds in all; hard distillation of images as they are."""
    return replace(
        presets.digits_quick(),
        {
            "optim.epochs": 2,
            "optim.warmup_epochs": 0.5,
            "model.patch_size": 4,
            "model.depth": 2,
            "model.embed_dim": 32,
            "model.width": 8,
            "compute.precision": "float32",
            "augment.mixup_alpha": 0,
            "distillation.kind": "hard",
            "distillation.alpha": 0.5,
            "distillation.mixed_labels": "both",
        },
    )


@pytest.fixture(scope="module")
def plain() -> Iterator[None]:
    """Runs make their steps in the plain way."""
    from plain_steps import computing_plainly  # loads torch

    with computing_plainly():
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    runs_dir = tmp_path / "runs"
    return Settings(f"sqlite:///{runs_dir / 'runs.sqlite'}", runs_dir, tmp_path / "data", num_workers=1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres_server("-c fsync=off"))
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk")
    yield disk
    disk.unmount()
