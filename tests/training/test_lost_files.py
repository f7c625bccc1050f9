"""A run whose folder has lost a file: it never begins again over what is left, and says which file it misses."""

import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from torch import nn

from deit_core.errors import RunError
from deit_core.events import RunFinished, StepDone
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


@pytest.mark.parametrize(
    ("lost", "changes", "words"),
    [
        ("state.pt", {}, r"contains weights of a run, but state\.pt is missing"),
        ("spec.json", {}, r"contains weights of a run, but spec\.json is missing"),
        ("best.safetensors", {}, r"best\.safetensors, the weights of epoch 1, is missing"),
        (
            "best_ema.safetensors",
            {"optim.ema": "separate"},
            r"best_ema\.safetensors, the weights of epoch 1, is missing",
        ),
    ],
)
@pytest.mark.parametrize("resume", [True, False], ids=["resumed", "begun"])
def test_a_folder_that_lost_a_file_is_not_touched(
    lost: str, changes: dict[str, object], words: str, resume: bool, tiny: RunSpec, tmp_path: Path
) -> None:
    spec = replace(tiny, changes)
    stop_in(2, spec, tmp_path / "r")
    (tmp_path / "r" / lost).unlink()
    if lost == "state.pt":  # else the state before it continues the run
        (tmp_path / "r" / "state.previous.pt").unlink()
    before = contents(tmp_path / "r")
    holds_state = lost not in ("state.pt", "spec.json")
    with pytest.raises(RunError, match="resume it" if holds_state and not resume else words) as caught:
        list(train(spec, run_dir=tmp_path / "r", resume=resume))
    assert "\n" not in str(caught.value)
    assert contents(tmp_path / "r") == before


def test_weights_of_an_epoch_alone_are_enough_to_be_kept(tiny: RunSpec, tmp_path: Path) -> None:
    stop_in(2, tiny, tmp_path / "r")
    for name in ("state.pt", "state.previous.pt", "best.safetensors", "last.safetensors"):
        (tmp_path / "r" / name).unlink()
    with pytest.raises(RunError, match=r"state\.pt is missing"):
        list(train(tiny, run_dir=tmp_path / "r", resume=True))
    assert (tmp_path / "r" / "epochs" / "0001.safetensors").exists()


def test_a_folder_without_weights_begins_at_the_first_step(tiny: RunSpec, tmp_path: Path) -> None:
    stop_in(1, tiny, tmp_path / "r")
    (tmp_path / "r" / "state.pt").unlink()
    events = list(train(tiny, run_dir=tmp_path / "r", resume=True))
    assert events[0].first_step == 0  # type: ignore[union-attr]
    assert isinstance(events[-1], RunFinished)


def test_a_run_cut_off_before_its_first_save_goes_on(tiny: RunSpec, tmp_path: Path) -> None:
    """Its first state is written before its first step, so weights without one were never left by a crash."""
    list(train(tiny, run_dir=tmp_path / "whole"))
    events = train(tiny, run_dir=tmp_path / "cut", group_s=0)
    next(events)
    state = (tmp_path / "cut" / "state.pt").read_bytes()
    next(event for event in events if isinstance(event, StepDone) and event.epoch == 2)
    events.close()
    (tmp_path / "cut" / "state.pt").write_bytes(state)  # as if killed after the first weights and before their state
    events_again = list(train(tiny, run_dir=tmp_path / "cut", resume=True))
    assert events_again[0].first_step == 0  # type: ignore[union-attr]
    whole, cut = (contents(tmp_path / name) for name in ("whole", "cut"))
    assert isinstance(events_again[-1], RunFinished)
    assert whole.keys() == cut.keys()


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
