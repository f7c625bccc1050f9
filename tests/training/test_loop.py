"""The loop: what it yields, that it stops and resumes bit for bit, and how it ends when the loss does."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deit_core import presets
from deit_core.errors import CheckpointError, RunError, SpecError
from deit_core.events import CheckpointSaved, EpochDone, Event, RunFailed, RunFinished, RunStarted, StepDone
from deit_core.models import load_checkpoint, read_card
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train
from deit_core.training.measures import Group


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_file(folder / f"{name}.safetensors")


def assert_equal_weights(one: Path, other: Path) -> None:
    for name in ("last", "best"):
        mine, theirs = weights(one, name), weights(other, name)
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine), f"{name} differs"


def run(spec: RunSpec, folder: Path, **options: object) -> list[Event]:
    return list(train(spec, run_dir=folder, num_threads=1, **options))  # type: ignore[arg-type]


def epochs(events: Iterable[Event]) -> dict[int, dict[str, float]]:
    """The metrics of each epoch."""
    return {event.epoch: event.metrics for event in events if isinstance(event, EpochDone)}


def stop_after(events: Iterator[Event], step: int) -> None:
    for event in events:
        if isinstance(event, StepDone) and event.step >= step:
            break
    events.close()  # type: ignore[attr-defined]


def test_the_order_of_events(whole: tuple[list[Event], Path]) -> None:
    events = whole[0]
    kinds = [type(event) for event in events]
    assert kinds == [RunStarted, *([StepDone] * 17 + [EpochDone, CheckpointSaved]) * 2, RunFinished]
    started, finished = events[0], events[-1]
    assert isinstance(started, RunStarted)
    assert (started.total_steps, started.num_train, started.num_val, started.num_test) == (34, 1149, 288, 360)
    assert isinstance(finished, RunFinished)
    assert 0 < finished.metrics["test_accuracy"] <= 1
    steps = [event.step for event in events if isinstance(event, StepDone)]
    assert steps == list(range(1, 35))
    for event in events:
        if isinstance(event, EpochDone):
            group = [e.metrics["train_loss"] for e in events if isinstance(e, StepDone) and e.epoch == event.epoch]
            assert event.metrics["train_loss"] == pytest.approx(sum(group) / 17, rel=1e-5)


def test_grouping_changes_what_is_reported_not_what_is_learned_or_measured(
    tiny: RunSpec, whole: tuple[list[Event], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Group, "age_s", property(lambda group: float(group.num_steps)))  # a step takes a second
    fives = run(tiny, tmp_path / "fives", group_s=5)
    assert sum(isinstance(event, StepDone) for event in fives) == 8
    assert_equal_weights(whole[1], tmp_path / "fives")
    assert epochs(whole[0]) == epochs(fives)


def test_the_peak_is_scaled_for_the_batch_that_is_made(tiny: RunSpec, tmp_path: Path) -> None:
    changes = {"lr": 0.512, "lr_scaling": "linear", "batch_size": 1024, "warmup_epochs": 0}
    few = replace(tiny, {"data.fraction": 0.1, **{f"optim.{name}": value for name, value in changes.items()}})
    started, step, *_ = run(few, tmp_path / "r", group_s=0)
    assert isinstance(started, RunStarted)
    assert isinstance(step, StepDone)
    assert started.num_train == 114
    assert step.metrics["lr"] == pytest.approx(0.114)


def test_golden_loss(tmp_path: Path) -> None:
    """A refactoring that changes what is learned shows here; a new torch may move the last digits."""
    finished = run(presets.smoke(), tmp_path / "r")[-1]
    assert isinstance(finished, RunFinished)
    assert finished.metrics["test_loss"] == pytest.approx(2.0456, rel=2e-3)


@pytest.mark.parametrize("stop", [1, 16, 17, 18, 33])
def test_stop_and_resume_is_bitwise_the_run_that_was_never_stopped(
    stop: int, tiny: RunSpec, whole: tuple[list[Event], Path], tmp_path: Path
) -> None:
    """Within an epoch, at its last step, between two, with dropout on."""
    stop_after(train(tiny, run_dir=tmp_path / "stopped", group_s=0, num_threads=1), stop)
    rest = run(tiny, tmp_path / "stopped", group_s=0, resume=True)
    assert isinstance(rest[0], RunStarted)
    assert rest[0].first_step == stop
    assert_equal_weights(whole[1], tmp_path / "stopped")
    assert epochs(rest).items() <= epochs(whole[0]).items()
    assert rest[-1].metrics == whole[0][-1].metrics  # type: ignore[union-attr]


@pytest.mark.usefixtures("teacher")
def test_a_distilled_run_resumes_bitwise_too(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    deit = tiny_trio.runs[2]
    whole = run(deit, tmp_path / "whole", group_s=0)
    stop_after(train(deit, run_dir=tmp_path / "stopped", group_s=0, num_threads=1), 20)
    run(deit, tmp_path / "stopped", resume=True)
    assert_equal_weights(tmp_path / "whole", tmp_path / "stopped")
    step = next(event for event in whole if isinstance(event, StepDone))
    parts = step.metrics
    assert parts["train_loss"] == pytest.approx((parts["train_loss_class"] + parts["train_loss_distillation"]) / 2)
    assert {"train_accuracy_class", "train_accuracy_distillation", "train_agreement"} <= parts.keys()
    epoch = next(event for event in whole if isinstance(event, EpochDone))
    assert {"val_accuracy", "val_accuracy_class", "val_accuracy_distillation"} <= epoch.metrics.keys()
    assert {"test_accuracy", "test_accuracy_class"} <= whole[-1].metrics.keys()  # type: ignore[union-attr]


def test_the_checkpoint_is_the_best_epoch_and_test_is_its_score(tiny: RunSpec, tmp_path: Path) -> None:
    spec = replace(tiny, {"optim.epochs": 4})
    events = run(spec, tmp_path / "r")
    epochs = [event for event in events if isinstance(event, EpochDone)]
    best = max(epochs, key=lambda event: (event.metrics["val_accuracy"], -event.metrics["val_loss"]))
    card = read_card(tmp_path / "r")
    assert card.epoch == best.epoch == events[-1].best_epoch  # type: ignore[union-attr]
    assert card.metrics == pytest.approx(best.metrics)
    assert [event.is_best for event in epochs][best.epoch - 1]
    assert sorted(path.name for path in (tmp_path / "r" / "epochs").iterdir()) == [
        f"{epoch:04d}.safetensors" for epoch in (1, 2, 3, 4)
    ]
    load_checkpoint(tmp_path / "r" / "epochs" / "0001.safetensors")


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(
    tiny: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deit_core.training import step as step_module

    honest = step_module.TrainStep.__call__

    def poisoned(
        self: object, pixels: torch.Tensor, labels: torch.Tensor, step: int, *rest: object
    ) -> dict[str, torch.Tensor]:
        return honest(self, pixels * (math.nan if step == 19 else 1.0), labels, step, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(step_module.TrainStep, "__call__", poisoned)
    events = run(tiny, tmp_path / "r")
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert "step 20 (epoch 2, learning rate" in failed.reason
    assert "after epoch 1, is kept" in failed.reason
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "r").values())
    assert read_card(tmp_path / "r").epoch == 1
    monkeypatch.undo()
    assert isinstance(run(tiny, tmp_path / "r", resume=True)[-1], RunFinished)


def test_a_learning_rate_that_is_far_too_large_ends_the_run_in_its_first_epoch(tiny: RunSpec, tmp_path: Path) -> None:
    spec = replace(tiny, {"optim.optimizer": "sgd", "optim.lr": 10.0, "data.normalization": "half"})
    failed = run(spec, tmp_path / "r")[-1]
    assert isinstance(failed, RunFailed)
    assert "(epoch 1, learning rate 10). No epoch had ended" in failed.reason
    assert "smaller optim.lr" in failed.reason
    assert not list((tmp_path / "r").glob("*.safetensors"))


def test_folders_are_not_overwritten(tiny: RunSpec, finished: Path) -> None:
    with pytest.raises(RunError, match="resume it"):
        run(tiny, finished)
    other = replace(tiny, {"seed": 1})
    with pytest.raises(RunError, match="another spec"):
        run(other, finished, resume=True)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half a zip"])
def test_a_damaged_state_is_one_sentence(content: bytes, tiny: RunSpec, finished: Path) -> None:
    (finished / "state.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"state\.pt is damaged"):
        run(tiny, finished, resume=True)


def test_a_missing_teacher_is_one_sentence(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="train a teacher first"):
        run(tiny_trio.runs[2], tmp_path / "deit")


def test_a_missing_device_is_one_sentence(tiny: RunSpec, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    spec = replace(tiny, {"compute.device": "cuda"})
    with pytest.raises(SpecError, match="no cuda device"):
        run(spec, tmp_path / "r")


def test_the_time_based_checkpoint_resumes_too(tiny: RunSpec, whole: tuple[list[Event], Path], tmp_path: Path) -> None:
    """What is left when the process is killed: the state of the newest timed checkpoint, and nothing after it."""
    spec = replace(tiny, {"compute.checkpoint_interval_s": 1e-6})
    events = train(spec, run_dir=tmp_path / "killed", group_s=0, num_threads=1)
    saved = next(event for event in events if isinstance(event, CheckpointSaved))
    state = (tmp_path / "killed" / "state.pt").read_bytes()
    next(events), next(events)
    events.close()
    (tmp_path / "killed" / "state.pt").write_bytes(state)  # as if it had not been closed but killed
    rest = run(spec, tmp_path / "killed", resume=True)
    assert rest[0].first_step == saved.step  # type: ignore[union-attr]
    assert_equal_weights(whole[1], tmp_path / "killed")
