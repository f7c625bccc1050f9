"""A run whose folder has lost a file: it never begins again over what is left, and says which file it misses."""

import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from torch import nn

from deit_core.errors import RunError
from deit_core.events import Event, RunFinished, StepDone
from deit_core.models import ModelCard, save_weights
from deit_core.spec import RunSpec, replace
from deit_core.training import checkpoint, train


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def stop_in(epoch: int, spec: RunSpec, folder: Path) -> None:
    events = train(spec, run_dir=folder, group_s=0)
    next(event for event in events if isinstance(event, StepDone) and event.epoch == epoch)
    events.close()


@pytest.fixture(scope="module")
def averaged(tiny: RunSpec) -> RunSpec:
    return replace(tiny, {"optim.ema": "separate"})


@pytest.fixture(scope="module")
def stopped_once(averaged: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with averaged weights that was stopped in its second epoch."""
    folder = tmp_path_factory.mktemp("stopped") / "r"
    stop_in(2, averaged, folder)
    return folder


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(stopped_once, tmp_path / "r"))


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("state.pt", r"contains weights of a run, but state\.pt is missing"),
        ("spec.json", r"contains weights of a run, but spec\.json is missing"),
        ("best.safetensors", r"best\.safetensors, the weights of epoch 1, is missing"),
        ("best_ema.safetensors", r"best_ema\.safetensors, the weights of epoch 1, is missing"),
    ],
)
@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "begun"])
def test_a_folder_that_lost_a_file_is_not_touched(
    lost: str, words: str, resume: bool, averaged: RunSpec, stopped: Path
) -> None:
    (stopped / lost).unlink()
    if lost == "state.pt":  # else the state before it continues the run
        (stopped / "state.previous.pt").unlink()
    before = contents(stopped)
    holds_state = lost not in ("state.pt", "spec.json")
    with pytest.raises(RunError, match="resume it" if holds_state and not resume else words) as caught:
        list(train(averaged, run_dir=stopped, resume=resume))
    assert "\n" not in str(caught.value)
    assert contents(stopped) == before


def test_weights_of_an_epoch_alone_are_enough_to_be_kept(averaged: RunSpec, stopped: Path) -> None:
    for name in ("state.pt", "state.previous.pt", "best.safetensors", "best_ema.safetensors", "last.safetensors"):
        (stopped / name).unlink()
    with pytest.raises(RunError, match=r"state\.pt is missing"):
        list(train(averaged, run_dir=stopped, resume=True))
    assert (stopped / "epochs" / "0001.safetensors").exists()


def test_a_folder_without_weights_begins_at_the_first_step(tiny: RunSpec, tmp_path: Path) -> None:
    stop_in(1, tiny, tmp_path / "r")
    (tmp_path / "r" / "state.pt").unlink()
    events = list(train(tiny, run_dir=tmp_path / "r", resume=True))
    assert events[0].first_step == 0  # type: ignore[union-attr]
    assert isinstance(events[-1], RunFinished)


def test_a_run_cut_off_before_its_first_save_goes_on(
    tiny: RunSpec, whole: tuple[list[Event], Path], tmp_path: Path
) -> None:
    """Its first state is written before its first step, so weights without one were never left by a crash."""
    events = train(tiny, run_dir=tmp_path / "cut", group_s=0)
    next(events)
    state = (tmp_path / "cut" / "state.pt").read_bytes()
    next(event for event in events if isinstance(event, StepDone) and event.epoch == 2)
    events.close()
    (tmp_path / "cut" / "state.pt").write_bytes(state)  # as if killed after the first weights and before their state
    events_again = list(train(tiny, run_dir=tmp_path / "cut", resume=True))
    assert events_again[0].first_step == 0  # type: ignore[union-attr]
    assert isinstance(events_again[-1], RunFinished)
    assert contents(whole[1]).keys() == contents(tmp_path / "cut").keys()


@pytest.mark.parametrize("num_saved", [0, 1, 2])
def test_a_folder_that_goes_in_the_middle_of_a_save_is_not_made_again(
    num_saved: int, tiny: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Path] = []

    def save(path: Path, model: nn.Module, card: ModelCard, *, makes_folder: bool) -> None:
        if len(saved) == num_saved:
            shutil.rmtree(tmp_path / "r")
        save_weights(path, model, card, makes_folder=makes_folder)
        saved.append(path)

    monkeypatch.setattr(checkpoint, "save_weights", save)
    with pytest.raises(RunError, match=r"The folder of this run, .* is gone"):
        list(train(tiny, run_dir=tmp_path / "r"))
    assert len(saved) == num_saved
    assert not (tmp_path / "r").exists()
