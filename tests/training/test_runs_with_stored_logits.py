"""A student learns the same, to the last bit, whether its teacher is asked or its stored logits are read."""

import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from deit_core import presets
from deit_core.events import Event, RunFinished, RunStarted, StepDone
from deit_core.models.cnn import ResNet9
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import session, train
from deit_core.training.teacher_logits import TeacherLogits


@pytest.fixture(scope="module")
def trio() -> ExperimentSpec:
    """Teacher, ViT and DeiT on digits in float32; padding 1, so nine views of an image."""
    changes = {
        "optim.epochs": 2,
        "optim.warmup_epochs": 0.5,
        "model.patch_size": 4,
        "model.depth": 1,
        "model.embed_dim": 32,
        "model.width": 8,
        "data.fraction": 0.25,
        "compute.precision": "float32",
        "augment.mixup_alpha": 0,  # views that come again have a table
        "distillation.kind": "hard",
        "distillation.mixed_labels": "both",
    }
    return replace(presets.digits_quick(), changes)


@pytest.fixture(scope="module")
def taught(trio: ExperimentSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained teacher."""
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    list(train(trio.runs[0], run_dir=folder, num_threads=1))
    return folder


@pytest.fixture
def runs_dir(taught: Path, tmp_path: Path) -> Path:
    shutil.copytree(taught, tmp_path / "runs" / "teacher")
    return tmp_path / "runs"


def student(trio: ExperimentSpec, **changes: Any) -> RunSpec:
    return replace(trio.runs[2], {key.replace("__", "."): value for key, value in changes.items()})


class Outcome:
    """What is left of a run: each step's losses, its weights, how the teacher was reached."""

    def __init__(self, spec: RunSpec, folder: Path, **options: Any) -> None:
        events: list[Event] = list(train(spec, run_dir=folder, group_s=0, **options))
        steps = [event for event in events if isinstance(event, StepDone)]
        names = ("train_loss", "train_loss_distillation", "train_agreement")
        self.losses = [[step.metrics[name] for name in names] for step in steps]
        self.hit_rates = [step.metrics.get("teacher_hit_rate") for step in steps]
        self.weights = load_file(folder / "last.safetensors")
        started, finished = events[0], events[-1]
        assert isinstance(started, RunStarted)
        assert isinstance(finished, RunFinished)
        self.sentence, self.metrics, self.num_val = started.teacher_logits, finished.metrics, started.num_val

    def assert_equals(self, other: "Outcome") -> None:
        assert self.losses == other.losses
        assert all(torch.equal(self.weights[name], other.weights[name]) for name in self.weights)
        assert self.metrics == other.metrics


@pytest.fixture(scope="module")
def online(trio: ExperimentSpec, taught: Path) -> Callable[[str], Outcome]:
    """A student, by the kind of its distillation, whose teacher is asked about every image."""

    @cache
    def outcome(kind: str) -> Outcome:
        spec = student(trio, distillation__kind=kind, distillation__stored_logits="off")
        return Outcome(spec, taught.parent / f"online-{kind}")

    return outcome


class CountsImages:
    """Stands for the teacher's forward pass, and counts the images that it is asked about."""

    def __init__(self) -> None:
        self.count, self._forward = 0, ResNet9.forward

    def __get__(self, model: ResNet9, _owner: type) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            self.count += len(x)
            return self._forward(model, x)

        return forward

    def only_validation(self, *outcomes: "Outcome") -> bool:
        """Whether it was asked about nothing but the validation images, once in each run; it computes whole pieces."""
        num_val = sum(outcome.num_val for outcome in outcomes)
        return num_val <= self.count < num_val + 32 * 4 * len(outcomes)


@pytest.mark.parametrize("kind", ["soft", "hard"])
@pytest.mark.parametrize("write_at_once", [True, False])
def test_no_student_can_tell_a_table_from_the_teacher(
    write_at_once: bool,
    kind: str,
    trio: ExperimentSpec,
    runs_dir: Path,
    online: Callable[[str], Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bit for bit, whether the table is missing, empty, full, or half filled by a student with another seed."""
    monkeypatch.setattr(session, "TeacherLogits", partial(TeacherLogits, write_at_once=write_at_once))
    spec = student(trio, distillation__kind=kind)
    asking = online(kind)
    cold = Outcome(spec, runs_dir / "cold")
    cold.assert_equals(asking)
    assert "0% filled" in cold.sentence
    assert cold.hit_rates[0] == 0
    assert 0 < sum(cold.hit_rates) / len(cold.hit_rates) < 0.2  # a ninth of the second epoch's views are the first's

    with monkeypatch.context() as patch:
        asked = CountsImages()
        patch.setattr(ResNet9, "forward", asked)
        warm = Outcome(spec, runs_dir / "warm")
    assert asked.only_validation(warm)
    warm.assert_equals(asking)
    assert set(warm.hit_rates) == {1.0}

    other_seed = student(trio, distillation__kind=kind, seed=7, optim__batch_size=50)
    after = Outcome(other_seed, runs_dir / "other")
    assert 0.05 < after.hit_rates[0] < 0.4
    assert len(list(runs_dir.glob("teacher-logits/*/key.json"))) == 1
    shutil.rmtree(runs_dir / "teacher-logits")
    Outcome(other_seed, runs_dir / "other-first").assert_equals(after)
    half = Outcome(spec, runs_dir / "half")
    half.assert_equals(asking)
    assert 0 < half.hit_rates[0] < 0.5


def test_where_nothing_is_stored_there_is_no_table(taught: Path, online: Callable[[str], Outcome]) -> None:
    assert set(online("hard").hit_rates) == {None}
    assert not (taught.parent / "teacher-logits").exists()


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_of_endless_views_a_student_of_the_same_seed_asks_nothing(
    kind: str, trio: ExperimentSpec, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = {"augment__mixup_alpha": 0.8, "augment__cutmix_alpha": 1.0, "augment__repeated_aug": 2}
    online = Outcome(student(trio, distillation__kind=kind, **endless), runs_dir / "online")
    assert "stored_views all" in online.sentence
    assert not (runs_dir / "teacher-logits").exists()
    kept = endless | {"distillation__stored_views": "all"}
    first = Outcome(student(trio, distillation__kind=kind, **kept), runs_dir / "first")
    first.assert_equals(online)
    assert set(first.hit_rates) == {0.0}
    Outcome(student(trio, seed=7, **kept), runs_dir / "other-seed")
    assert len(list(runs_dir.glob("teacher-logits/*/key.json"))) == 2
    with monkeypatch.context() as patch:
        asked = CountsImages()
        patch.setattr(ResNet9, "forward", asked)
        again = Outcome(student(trio, distillation__kind=kind, **kept), runs_dir / "again")
        other = Outcome(student(trio, distillation__tau=2.0, optim__lr=1e-4, **kept), runs_dir / "another-recipe")
    assert asked.only_validation(again, other)
    again.assert_equals(online)
    assert set(again.hit_rates) == {1.0}
    events = train(student(trio, distillation__kind=kind, **kept), run_dir=runs_dir / "stopped", group_s=0)
    next(event for event in events if isinstance(event, StepDone) and event.step == 7)
    events.close()
    rest = Outcome(student(trio, distillation__kind=kind, **kept), runs_dir / "stopped", resume=True)
    assert rest.losses == online.losses[7:]
    assert set(rest.hit_rates) == {1.0}


def test_damage_is_healed_and_changes_nothing(trio: ExperimentSpec, runs_dir: Path) -> None:
    first = Outcome(student(trio), runs_dir / "first")
    file = next(runs_dir.glob("teacher-logits/*/logits.bin"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) // 2)
    file.write_bytes(content)
    after = Outcome(student(trio), runs_dir / "after")
    after.assert_equals(first)
    assert 0.2 < after.hit_rates[0] < 0.8
    assert set(Outcome(student(trio), runs_dir / "again").hit_rates) == {1.0}


def test_float16_says_the_same_cold_warm_and_online(trio: ExperimentSpec, runs_dir: Path) -> None:
    spec = student(trio, distillation__kind="soft", distillation__stored_logits="float16")
    cold, warm, online = (
        Outcome(spec, runs_dir / name, logits_gb=cap) for name, cap in (("cold", 4), ("warm", 4), ("online", 0))
    )
    warm.assert_equals(cold)
    online.assert_equals(cold)
    assert set(warm.hit_rates) == {1.0}
    exact = Outcome(student(trio, distillation__kind="soft"), runs_dir / "exact")
    assert cold.losses[0] == pytest.approx(exact.losses[0], rel=1e-3)
    assert cold.losses != exact.losses


def test_no_room_is_no_failure(trio: ExperimentSpec, runs_dir: Path) -> None:
    cold = Outcome(student(trio), runs_dir / "cold")
    capped = Outcome(student(trio), runs_dir / "capped", logits_gb=1e-6)
    capped.assert_equals(cold)
    assert "DEIT_LOGITS_GB" in capped.sentence
    shutil.rmtree(runs_dir / "teacher-logits")
    (runs_dir / "teacher-logits").write_text("a file in the way")
    Outcome(student(trio), runs_dir / "blocked").assert_equals(cold)


@pytest.fixture(scope="module")
def never_stopped(trio: ExperimentSpec, taught: Path) -> Outcome:
    """A student by one thread, without a table."""
    spec = student(trio, compute__num_threads=None, distillation__stored_logits="off")
    return Outcome(spec, taught.parent / "never-stopped", num_threads=1)


@pytest.mark.parametrize("write_at_once", [True, False])
@pytest.mark.parametrize("meanwhile", ["kept", "gone", "no room"])
def test_a_resumed_run_goes_on_bit_for_bit(
    meanwhile: str,
    write_at_once: bool,
    trio: ExperimentSpec,
    runs_dir: Path,
    never_stopped: Outcome,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "TeacherLogits", partial(TeacherLogits, write_at_once=write_at_once))
    spec = student(trio, compute__num_threads=None)
    events = train(spec, run_dir=runs_dir / "stopped", group_s=0, num_threads=1)
    next(event for event in events if isinstance(event, StepDone) and event.step == 7)
    events.close()
    if meanwhile == "gone":
        shutil.rmtree(runs_dir / "teacher-logits")
    logits_gb = 0 if meanwhile == "no room" else 4
    rest = Outcome(spec, runs_dir / "stopped", resume=True, logits_gb=logits_gb, num_threads=2)
    assert rest.losses == never_stopped.losses[7:]
    assert rest.metrics == never_stopped.metrics
    assert torch.equal(rest.weights["head.weight"], never_stopped.weights["head.weight"])
    if meanwhile == "kept":  # the table of one thread, though two were offered: with the 7 batches before the stop
        assert f"{7 * 32 / (9 * 287):.0%} filled" in rest.sentence


def test_a_run_that_has_ended_lets_its_table_go(trio: ExperimentSpec, runs_dir: Path) -> None:
    Outcome(student(trio), runs_dir / "first")
    events = train(student(trio, seed=2), run_dir=runs_dir / "stopped")
    next(events)
    size_gb = sum(file.stat().st_size for file in runs_dir.glob("teacher-logits/*/*.bin")) / 1e9
    other = student(trio, augment__crop_padding=0)
    assert "in use" in Outcome(other, runs_dir / "beside", logits_gb=size_gb).sentence
    events.close()
    assert "filled" in Outcome(other, runs_dir / "after", logits_gb=size_gb).sentence
    assert len(list(runs_dir.glob("teacher-logits/*/key.json"))) == 1
