"""What tests that train have in common."""

import shutil
from pathlib import Path

import pytest
from plain_steps import computing_plainly

from deit_core.events import Event
from deit_core.spec import ExperimentSpec, RunSpec
from deit_core.training import train


@pytest.fixture(autouse=True)
def _plain(plain: None) -> None:
    """All tests here."""


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
