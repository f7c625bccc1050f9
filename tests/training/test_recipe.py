"""The whole recipe at once: it resumes bit for bit, teacher and student see the same, its numbers are told apart."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

import deit_core.torchvision_ops  # noqa: F401  # before timm, which imports torchvision
from deit_core.data import Split
from deit_core.data.augment.mixup import Mix
from deit_core.errors import SpecError
from deit_core.events import EpochDone, RunFinished, RunStarted, StepDone
from deit_core.models import VisionTransformer
from deit_core.spec import ExperimentSpec, RunSpec, load_spec, replace
from deit_core.training import train
from deit_core.training.evaluation import evaluate
from deit_core.training.step import TrainStep

from timm.models import vision_transformer as timm_vit  # isort: skip

RECIPE = {
    "model.drop_path_rate": 0.2,
    "optim.ema": "separate",
    "optim.ema_decay": 0.9,
    "optim.clip_grad": 1.0,
    "optim.lr_scaling": "sqrt",
    "optim.layer_decay": 0.9,
    "augment.resized_crop": 0.3,
    "augment.randaugment_ops": 2,
    "augment.color_jitter": 0.3,
    "augment.random_erasing": 0.25,
    "augment.mixup_alpha": 0.8,
    "augment.cutmix_alpha": 1.0,
    "augment.repeated_aug": 3,
}
_KILL_AFTER = """
import os, signal, sys
from pathlib import Path
from deit_core.events import CheckpointSaved
from deit_core.spec import load_spec
from deit_core.training import train
for event in train(load_spec(Path(sys.argv[1]).read_bytes()), run_dir=sys.argv[2], num_threads=1, group_s=0):
    if isinstance(event, CheckpointSaved) and event.step >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("rate", "depth"), [(0.1, 12), (0.3, 3), (0.0, 2)])
def test_stochastic_depth_grows_as_in_timm(rate: float, depth: int) -> None:
    shape = {"img_size": 16, "patch_size": 4, "embed_dim": 32, "num_heads": 2, "depth": depth, "drop_path_rate": rate}
    theirs = timm_vit.VisionTransformer(**shape)
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in theirs.blocks]
    assert [block.drop_path.rate for block in VisionTransformer(**shape).blocks] == pytest.approx(rates)


@pytest.fixture
def recipe(tiny: RunSpec) -> RunSpec:
    return replace(tiny, RECIPE)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_killed_and_resumed_it_is_bitwise_the_run_that_was_never_stopped(
    optimizer: str, recipe: RunSpec, tmp_path: Path
) -> None:
    """N steps are k, SIGKILL, and N - k: weights, their average, every number, and which epoch was the best."""
    few_steps = {"optim.epochs": 3, "data.fraction": 0.4}  # of seven in each epoch
    spec = replace(recipe, {"optim.optimizer": optimizer, "compute.checkpoint_interval_s": 1e-6, **few_steps})
    whole = list(train(spec, run_dir=tmp_path / "whole", num_threads=1, group_s=0))
    file = tmp_path / "spec.json"
    file.write_text(spec.model_dump_json())
    command = [sys.executable, "-c", _KILL_AFTER, str(file), str(tmp_path / "killed"), "9"]
    killed = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=600, check=False)
    assert killed.returncode == -signal.SIGKILL
    rest = list(train(spec, run_dir=tmp_path / "killed", num_threads=1, group_s=0, resume=True))
    assert isinstance(rest[0], RunStarted)
    assert rest[0].first_step == 9
    for name in ("last", "best", "best_ema"):
        one, other = (load_file(tmp_path / folder / f"{name}.safetensors") for folder in ("whole", "killed"))
        assert all(torch.equal(one[key], other[key]) for key in one), name
    one, other = (torch.load(tmp_path / folder / "state.pt", weights_only=True) for folder in ("whole", "killed"))
    assert all(torch.equal(one["ema"][key], other["ema"][key]) for key in one["ema"])
    for field in ("best_epoch", "best_accuracy", "best_loss"):
        assert one["progress"][field] == other["progress"][field]
    epochs = {event.epoch: event for event in whole if isinstance(event, EpochDone)}
    for event in rest:
        if isinstance(event, EpochDone):
            assert event.is_best == epochs[event.epoch].is_best
            assert event.metrics == pytest.approx(epochs[event.epoch].metrics, rel=1e-6)
    assert rest[-1].metrics == whole[-1].metrics  # type: ignore[union-attr]


def test_the_rate_at_every_step_is_the_closed_form(recipe: RunSpec, tmp_path: Path) -> None:
    """As the optimiser has it when it steps, in the group of the heads, which no layer decay scales; and as told."""
    peak, least, warmup, total = 1e-3, 1e-5, 8, 34  # 2e-3 for 256 images, here 64; half an epoch of 17 steps; 2 epochs
    falling = [(1 + math.cos(math.pi * step / (total - warmup))) / 2 for step in range(total - warmup)]
    expected = [peak * (step + 1) / warmup for step in range(warmup)]
    expected += [least + (peak - least) * share for share in falling]
    used: list[float] = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: used.append(max(group["lr"] for group in optimizer.param_groups))
    )
    events = list(train(recipe, run_dir=tmp_path / "r", group_s=0))
    hook.remove()
    assert used[-total:] == pytest.approx(expected)  # before them, steps that were made to try how it computes
    assert [event.metrics["lr"] for event in events if isinstance(event, StepDone)] == pytest.approx(expected)


def test_a_spec_and_a_state_from_before_the_recipe_still_serve(tiny: RunSpec, finished: Path) -> None:
    """Their fields are missing; what they leave open is what was done before."""
    document = tiny.model_dump(mode="json")
    before = {
        "optim": "optimizer epochs batch_size lr min_lr warmup_epochs weight_decay label_smoothing",
        "augment": "crop_padding horizontal_flip",
    }
    for part, names in before.items():
        document[part] = {name: document[part][name] for name in names.split()}
    assert load_spec(json.dumps(document)) == tiny
    state = torch.load(finished / "state.pt", weights_only=True)
    assert state.keys() == {"model", "optimizer", "progress"}
    assert len(state["optimizer"]["param_groups"]) == 2
    assert not {"lr_scale"} & state["optimizer"]["param_groups"][0].keys()


class Attentive(nn.Module):
    """A teacher that remembers what it was shown."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen = pixels
        return pixels.mean((1, 2, 3))[:, None] * torch.arange(10.0)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_teacher_sees_the_mixed_pixels_and_accuracy_the_stronger_label(
    share: float, tiny_trio: ExperimentSpec
) -> None:
    spec, teacher = tiny_trio.runs[2], Attentive()
    torch.manual_seed(0)
    model = VisionTransformer(16, 4, 1, 10, 32, 2, 2, distilled=True).train()
    step = TrainStep(spec, model, teacher, lambda x: x - 0.5, steps_per_epoch=10)
    pixels, labels = torch.rand(8, 1, 16, 16), torch.arange(8)
    with torch.no_grad():
        said, its = model(pixels - 0.5)
    mixed = Mix(labels.flip(0), share)
    measured = step(pixels, labels, 0, None, mixed)
    assert teacher.seen is pixels
    base = nn.CrossEntropyLoss(label_smoothing=spec.optim.label_smoothing)(said, mixed.targets(labels, 10))
    torch.testing.assert_close(measured["train_loss_class"], base)
    taught = nn.functional.cross_entropy(its, teacher(pixels).argmax(-1))
    torch.testing.assert_close(measured["train_loss_distillation"], taught)
    stronger = labels if share > 0.5 else labels.flip(0)
    assert measured["train_accuracy_class"] == (said.argmax(-1) == stronger).float().mean()


@pytest.mark.usefixtures("teacher")
def test_a_student_of_mixed_images_asks_its_teacher(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    spec = replace(tiny_trio.runs[2], {"augment.mixup_alpha": 0.8, "optim.epochs": 1})
    events = list(train(spec, run_dir=tmp_path / "deit"))
    assert isinstance(events[0], RunStarted)
    assert "no view repeats" in events[0].teacher_logits
    assert isinstance(events[-1], RunFinished)


class Lopsided(nn.Module):
    """Says class 0 for images that are bright on the left, class 1 for those bright on the right, the latter louder."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        left, right = pixels[..., :4].mean((1, 2, 3)), pixels[..., 4:].mean((1, 2, 3))
        return torch.stack([left, 3 * right], dim=1)


def test_the_flip_is_scored_apart_and_by_the_mean_of_both() -> None:
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    images[0, :, :, :4] = images[1, :, :, 4:] = 255
    data = Split(images, torch.tensor([0, 1]))
    cpu = torch.device("cpu")
    plain = evaluate(Lopsided(), data, lambda x: x, cpu, "test")
    flipped = evaluate(Lopsided(), data, lambda x: x, cpu, "test", suffix="_flip", flip=True)
    assert plain["test_accuracy"] == 1
    assert flipped.keys() == {"test_loss_flip", "test_accuracy_flip"}
    assert flipped["test_accuracy_flip"] == 0.5  # an image and its mirror image are answered alike: 0.5 and 1.5


def test_a_flip_of_digits_is_refused(tiny: RunSpec) -> None:
    with pytest.raises(SpecError, match=r"set augment\.test_flip to false"):
        replace(tiny, {"augment.test_flip": True})
