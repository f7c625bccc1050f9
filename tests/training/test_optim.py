"""Learning rates, parameter groups and optimisers, against their closed forms and against timm's."""

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

import deit_core.torchvision_ops  # noqa: F401  timm imports torchvision
from deit_core.errors import SpecError
from deit_core.models import VisionTransformer
from deit_core.spec import OptimSpec, ResNet9Spec, RunSpec, replace
from deit_core.training import optimizers
from deit_core.training.muon import MuonWithAdamW
from deit_core.training.optim import build_optimizer, learning_rate, parameter_groups
from deit_core.training.step import TrainStep


def student(**options: object) -> VisionTransformer:
    options = {"img_size": 16, "patch_size": 4, "in_chans": 1, "num_classes": 10, "embed_dim": 32} | options
    return VisionTransformer(**options, depth=3, num_heads=2, distilled=True)  # type: ignore[arg-type]


def make_step(spec: RunSpec) -> TrainStep:
    torch.manual_seed(0)
    model = student().train() if spec.model.model_dump()["distilled"] else VisionTransformer(16, 4, 1, 10, 32, 2, 2)
    return TrainStep(spec, model, None, lambda x: x - 0.5, steps_per_epoch=10)


@pytest.mark.parametrize(("warmup_epochs", "warmup_steps"), [(0, 0), (1.5, 15)])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_the_optimiser_steps_at_the_closed_form(
    optimizer: str, warmup_epochs: float, warmup_steps: int, tiny: RunSpec
) -> None:
    changes = {"optimizer": optimizer, "epochs": 4, "lr": 1e-3, "min_lr": 1e-4, "warmup_epochs": warmup_epochs}
    spec = replace(tiny, {f"optim.{name}": value for name, value in changes.items()})
    step = make_step(spec)
    for number in range(40):
        step(torch.rand(2, 1, 16, 16), torch.arange(2), number)
        if number < warmup_steps:
            expected = 1e-3 * (number + 1) / warmup_steps
        else:
            progress = (number - warmup_steps) / (40 - warmup_steps)
            expected = 1e-4 + (1e-3 - 1e-4) * (1 + math.cos(math.pi * progress)) / 2
        rates = [group["lr"] for group in step.optimizer.param_groups]
        assert rates == pytest.approx([expected] * len(rates)), number


@pytest.mark.parametrize(
    ("scaling", "batch_size", "peak"),
    [("none", 1024, 5e-4), ("linear", 1024, 1e-3), ("linear", 64, 6.25e-5), ("sqrt", 1024, 1e-3), ("sqrt", 64, 2.5e-4)],
)
def test_the_peak_is_scaled_and_the_minimum_is_not(scaling: str, batch_size: int, peak: float) -> None:
    options = {"lr": 5e-4, "min_lr": 1e-5, "warmup_epochs": 2, "epochs": 10, "batch_size": batch_size}
    spec = OptimSpec(lr_scaling=scaling, **options)  # type: ignore[arg-type]
    assert learning_rate(4, spec, 5) == pytest.approx(peak / 2)
    assert learning_rate(10, spec, 5) == pytest.approx(peak)
    assert learning_rate(30, spec, 5) == pytest.approx((peak + 1e-5) / 2)
    assert learning_rate(50, spec, 5) == pytest.approx(1e-5)


def test_a_peak_scaled_below_the_minimum_is_one_sentence(tiny: RunSpec) -> None:
    with pytest.raises(SpecError, match=r"min_lr 1e-05 is larger than lr 0\.0001, which lr_scaling makes 1\.95"):
        replace(tiny, {"optim.lr": 1e-4, "optim.lr_scaling": "linear", "optim.batch_size": 1})


@pytest.mark.parametrize("layer_decay", [1.0, 0.75])
def test_every_parameter_is_in_one_group(layer_decay: float) -> None:
    model = student()
    groups = parameter_groups(model, 0.05, layer_decay)
    found = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(found) == sorted(map(id, model.parameters()))


def test_what_decays_is_what_decays_in_timm() -> None:
    from timm.models.deit import VisionTransformerDistilled
    from timm.optim import param_groups_weight_decay

    options = {"img_size": 16, "patch_size": 4, "in_chans": 1, "num_classes": 10, "embed_dim": 32, "depth": 3}
    theirs, ours = VisionTransformerDistilled(**options, num_heads=2), student()

    def spared(model: nn.Module, groups: list[dict[str, Any]]) -> set[str]:
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        return {names[id(p)] for group in groups if group["weight_decay"] == 0 for p in group["params"]}

    expected = spared(theirs, param_groups_weight_decay(theirs, 0.05, no_weight_decay_list=theirs.no_weight_decay()))
    assert spared(ours, parameter_groups(ours, 0.05)) == expected


def test_layer_decay_groups_as_timm_does() -> None:
    from timm.models.deit import VisionTransformerDistilled
    from timm.optim import param_groups_layer_decay

    options = {"img_size": 16, "patch_size": 4, "in_chans": 1, "num_classes": 10, "embed_dim": 32, "depth": 3}
    theirs = VisionTransformerDistilled(**options, num_heads=2)
    groups = param_groups_layer_decay(theirs, 0.05, theirs.no_weight_decay(), layer_decay=0.75)

    def by_name(model: nn.Module, groups: list[dict[str, object]]) -> dict[str, tuple[object, object]]:
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        return {
            names[id(parameter)]: (pytest.approx(group["lr_scale"]), group["weight_decay"])
            for group in groups
            for parameter in group["params"]  # type: ignore[attr-defined]
        }

    ours = student()
    assert by_name(ours, parameter_groups(ours, 0.05, 0.75)) == by_name(theirs, groups)


def test_the_rate_of_each_layer_is_scaled_at_every_step(tiny: RunSpec) -> None:
    spec = replace(tiny, {"optim.layer_decay": 0.5})
    step = make_step(spec)
    for number in (0, 7):
        step(torch.rand(8, 1, 16, 16), torch.arange(8), number)
        rates = {group["lr"] for group in step.optimizer.param_groups}
        expected = {learning_rate(number, spec.optim, 10) * 0.5**power for power in range(4)}
        assert sorted(rates) == pytest.approx(sorted(expected))


def test_gradients_are_clipped_by_their_joint_norm(tiny: RunSpec) -> None:
    def norm_of_gradients(clip_grad: float | None) -> float:
        spec = replace(tiny, {"optim.clip_grad": clip_grad})
        step = make_step(spec)
        step(torch.rand(8, 1, 16, 16), torch.arange(8), 0)
        gradients = [parameter.grad for parameter in step.model.parameters() if parameter.grad is not None]
        return float(torch.nn.utils.get_total_norm(gradients))

    free = norm_of_gradients(None)
    assert norm_of_gradients(free / 4) == pytest.approx(free / 4, rel=1e-4)
    assert norm_of_gradients(free * 4) == pytest.approx(free)


def test_muon_moves_the_matrices_of_the_blocks_and_adamw_the_rest() -> None:
    model = student()
    optimizer = build_optimizer(model, OptimSpec(optimizer="muon"))
    assert isinstance(optimizer, MuonWithAdamW)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    by_muon, by_adamw = (
        {names[id(parameter)] for group in part.param_groups for parameter in group["params"]}
        for part in optimizer.parts
    )
    kinds = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    assert by_muon == {f"blocks.{index}.{kind}.weight" for index in range(3) for kind in kinds}
    assert by_adamw == set(names.values()) - by_muon
    groups = optimizer.param_groups
    decays = {names[id(parameter)]: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert (decays["head.weight"], decays["pos_embed"], decays["blocks.0.mlp.fc1.weight"]) == (0.05, 0.0, 0.05)


def test_muon_learns(tiny: RunSpec) -> None:
    spec = replace(tiny, {"optim.optimizer": "muon", "optim.warmup_epochs": 0})
    step = make_step(spec)
    pixels, labels = torch.rand(8, 1, 16, 16), torch.arange(8)
    losses = [step(pixels, labels, number)["train_loss"].item() for number in range(15)]
    assert losses[-1] < losses[0] - 0.3


@pytest.mark.parametrize("change", [{"optim.optimizer": "muon"}, {"optim.layer_decay": 0.75}])
def test_what_needs_blocks_is_refused_for_a_cnn(change: dict[str, object], tiny: RunSpec) -> None:
    with pytest.raises(SpecError, match="blocks"):
        replace(tiny.with_changes(model=ResNet9Spec()), change)


_TRAINS = """
import sys, tempfile
from pathlib import Path
from deit_core import presets
from deit_core.events import EpochDone
from deit_core.spec import replace
from deit_core.training import train

for optimizer in ("adamw", "sgd", "muon"):
    few_steps = {"data.fraction": 0.2, "optim.epochs": 1, "optim.warmup_epochs": 0}
    spec = replace(presets.smoke(), {"optim.optimizer": optimizer, **few_steps})
    for event in train(spec, run_dir=Path(tempfile.mkdtemp()) / optimizer, num_threads=1):
        if isinstance(event, EpochDone):
            print(optimizer, "torch._dynamo" in sys.modules)
"""


def test_training_does_not_load_the_compiler() -> None:
    """It takes a second or more before the first step of every worker."""
    done = subprocess.run([sys.executable, "-c", _TRAINS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["adamw False", "sgd False", "muon False"]


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_an_optimiser_without_the_compiler_computes_what_torchs_does(name: str) -> None:
    def after_steps(kind: type[torch.optim.Optimizer]) -> tuple[torch.Tensor, dict[str, object]]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(5, 3)
        optimizer = kind(layer.parameters(), lr=0.1, weight_decay=0.1)  # type: ignore[call-arg]
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(2, 5)).square().sum().backward()
            optimizer.step()
        return layer.weight, optimizer.state_dict()["param_groups"][0]

    (ours, our_group), (theirs, their_group) = (after_steps(getattr(m, name)) for m in (optimizers, torch.optim))
    assert torch.equal(ours, theirs)
    assert our_group == their_group
