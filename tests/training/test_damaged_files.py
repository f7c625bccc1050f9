"""Damage to the files of a run is found before it is trained on, and costs at most the steps since the save before."""

import os
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deit_core.errors import DeitError
from deit_core.events import Event, RunFinished, RunStarted, StepDone
from deit_core.files import write_atomically
from deit_core.spec import RunSpec
from deit_core.training import train

NEWEST, PREVIOUS = "state.pt", "state.previous.pt"


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def resume(spec: RunSpec, folder: Path) -> list[Event]:
    return list(train(spec, run_dir=folder, num_threads=1, resume=True))


@pytest.fixture(scope="module")
def stopped_once(tiny: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped in its second epoch: saved at its beginning, after an epoch, and when it stopped."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    events = train(tiny, run_dir=folder, num_threads=1, group_s=0)
    next(event for event in events if isinstance(event, StepDone) and event.step == 20)
    events.close()
    return folder


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(stopped_once, tmp_path / "run"))


def assert_equals(folder: Path, whole: tuple[list[Event], Path]) -> None:
    one, other = (load_file(run / "last.safetensors") for run in (folder, whole[1]))
    assert all(torch.equal(one[name], other[name]) for name in one)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5000])


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink], ids=["flipped", "cut", "empty", "gone"])
def test_a_damaged_state_resumes_from_the_one_before(
    damage: Callable[[Path], None], stopped: Path, tiny: RunSpec, whole: tuple[list[Event], Path]
) -> None:
    damage(stopped / NEWEST)
    started, *_, finished = resume(tiny, stopped)
    assert isinstance(started, RunStarted)
    assert started.first_step == 17
    assert any("continues from the one before it, after step 17" in note for note in started.notes)
    assert isinstance(finished, RunFinished)
    assert_equals(stopped, whole)


def test_without_a_good_state_nothing_is_touched(stopped: Path, tiny: RunSpec) -> None:
    for name in (NEWEST, PREVIOUS):
        flip(stopped / name)
    before = contents(stopped)
    with pytest.raises(DeitError, match=r"state\.pt and state\.previous\.pt are damaged.* start a new run") as caught:
        resume(tiny, stopped)
    assert "move it away" not in str(caught.value)
    assert contents(stopped) == before


@pytest.mark.parametrize("damage", [flip, cut, empty], ids=["flipped", "cut", "empty"])
def test_a_run_whose_first_state_is_damaged_begins_again(
    damage: Callable[[Path], None], tiny: RunSpec, whole: tuple[list[Event], Path], tmp_path: Path
) -> None:
    """Nothing was saved after it, so nothing is lost that a resume could bring back."""
    events = train(tiny, run_dir=tmp_path / "run", num_threads=1)
    next(events)
    events.close()
    damage(tmp_path / "run" / NEWEST)
    started, *_, finished = resume(tiny, tmp_path / "run")
    assert isinstance(started, RunStarted)
    assert started.first_step == 0
    assert any("the run begins again" in note for note in started.notes)
    assert isinstance(finished, RunFinished)
    assert_equals(tmp_path / "run", whole)


def test_a_damaged_state_never_replaces_a_good_one(stopped: Path, tiny: RunSpec) -> None:
    flip(stopped / NEWEST)
    good = (stopped / PREVIOUS).read_bytes()
    events = train(tiny, run_dir=stopped, num_threads=1, resume=True, group_s=0)
    next(event for event in events if isinstance(event, StepDone))
    events.close()
    assert (stopped / PREVIOUS).read_bytes() == good
    started = resume(tiny, stopped)[0]
    assert isinstance(started, RunStarted)
    assert started.first_step == 18


def test_a_finished_run_keeps_one_state(stopped: Path, tiny: RunSpec) -> None:
    assert (stopped / PREVIOUS).exists()
    resume(tiny, stopped)
    assert [path.name for path in stopped.glob("state*")] == [NEWEST]


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 300, b"[]"])
def test_a_damaged_spec_names_its_file_and_nothing_is_touched(content: bytes, stopped: Path, tiny: RunSpec) -> None:
    (stopped / "spec.json").write_bytes(content)
    before = contents(stopped)
    with pytest.raises(DeitError, match=r"run/spec\.json is damaged") as caught:
        resume(tiny, stopped)
    assert "\n" not in str(caught.value)
    assert contents(stopped) == before


@pytest.fixture(scope="module")
def dead_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_what_a_killed_process_left_unfinished_is_removed(stopped: Path, tiny: RunSpec, dead_pid: int) -> None:
    reused = os.getppid()
    left = [stopped / f".state.pt.{dead_pid}-1.part", stopped / "epochs" / f".0001.safetensors.{dead_pid}-1.part"]
    left.append(stopped / f".best.safetensors.{reused}-1.part")  # the number is another process's by now
    kept = [stopped / f".last.safetensors.{os.getpid()}-1.part", stopped / f"a{dead_pid}-1.part"]
    for file in (*left, *kept):
        file.write_bytes(b"half")
    os.utime(left[-1], (0, 0))
    resume(tiny, stopped)
    assert [file.exists() for file in left] == [False] * 3
    assert [file.exists() for file in kept] == [True] * 2


def test_a_file_that_is_written_again_removes_its_own_leftovers(tmp_path: Path, dead_pid: int) -> None:
    """Outside the folders of runs too: plans, estimates, exports."""
    left, other = (tmp_path / f".{name}.{dead_pid}-1.part" for name in ("[a]*.json", "b.json"))
    for file in (left, other):
        file.write_bytes(b"half")
    write_atomically(tmp_path / "[a]*.json", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([other.name, "[a]*.json"])
