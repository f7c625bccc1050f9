"""What tests that train have in common."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deit_core.events import Event
from deit_core.spec import ExperimentSpec, RunSpec
from deit_core.training import train
from deit_core.training.device import plain_plan


@contextlib.contextmanager
def computing_plainly() -> Iterator[None]:
    """Without a trial of other ways to compute, which would take a third of a short run's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deit_core.training.session.choose_plan", lambda step, *_: plain_plan(step.spec.compute))
        yield


@pytest.fixture(scope="module", autouse=True)
def plain() -> Iterator[None]:
    with computing_plainly():
        yield


def _trained(spec: RunSpec, folder: Path) -> tuple[list[Event], Path]:
    with computing_plainly():
        return list(train(spec, run_dir=folder, num_threads=1, group_s=0)), folder


@pytest.fixture(scope="session")
def whole(tiny: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Event], Path]:
    """A run of `tiny` by one thread that was never stopped: its events, of each step, and its folder to be read."""
    return _trained(tiny, tmp_path_factory.mktemp("tiny") / "whole")


@pytest.fixture
def finished(whole: tuple[list[Event], Path], tmp_path: Path) -> Path:
    """The folder of such a run, to be changed."""
    return Path(shutil.copytree(whole[1], tmp_path / "finished"))


@pytest.fixture(scope="session")
def _trained_teacher(tiny_trio: ExperimentSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _trained(tiny_trio.runs[0], tmp_path_factory.mktemp("trio") / "teacher")[1]


@pytest.fixture
def teacher(_trained_teacher: Path, tmp_path: Path) -> Path:
    """The folder of a run of the teacher of `tiny_trio`, where its students look for it."""
    return Path(shutil.copytree(_trained_teacher, tmp_path / "teacher"))
