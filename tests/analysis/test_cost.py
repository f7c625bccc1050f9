"""Floating-point operations from a spec, against torch's own count of the network that the spec builds."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from deit_core import presets
from deit_core.analysis.cost import flops_per_image
from deit_core.models import build_model
from deit_core.spec import ResNet9Spec, RunSpec, TimmSpec, TorchvisionSpec, replace


def counted(spec: RunSpec, in_chans: int, num_classes: int) -> int:
    model = build_model(spec, in_chans=in_chans, num_classes=num_classes).eval()
    explicit = {"return_attention": True} if spec.model.family == "vit" else {}  # else torch does not count it on a CPU
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, in_chans, spec.data.img_size, spec.data.img_size), **explicit)
    return counter.get_total_flops()


@pytest.mark.parametrize(("in_chans", "num_classes"), [(1, 10), (3, 7)])
@pytest.mark.parametrize("preset", ["scattered-quick", "fashion-miniproject"])
def test_our_networks_are_counted_as_torch_counts_them(preset: str, in_chans: int, num_classes: int) -> None:
    for spec in presets.get(preset).runs:  # type: ignore[union-attr]
        assert flops_per_image(spec, in_chans, num_classes) == counted(spec, in_chans, num_classes)


@pytest.mark.parametrize(
    "changes", [{"model.pool": "both"}, {"model.num_registers": 3, "model.layer_scale": 0.1}], ids=str
)
def test_pools_and_registers_are_counted(changes: dict[str, Any]) -> None:
    spec = replace(presets.smoke(), changes)
    assert flops_per_image(spec, 1, 10) == counted(spec, 1, 10)


def test_an_odd_size_and_width() -> None:
    spec = replace(RunSpec(), {"model": ResNet9Spec(width=9), "data.img_size": 35})
    assert flops_per_image(spec, 3, 4) == counted(spec, 3, 4)


@pytest.mark.parametrize("name", ["resnet18", "regnet_y_400mf"])
def test_networks_of_torchvision_at_the_size_of_the_count(name: str) -> None:
    spec = replace(RunSpec(), {"model": TorchvisionSpec(name=name, input_size=224), "data.img_size": 32})
    assert flops_per_image(spec, 1, 10) == pytest.approx(counted(spec, 1, 10), rel=1e-4)


def test_a_network_that_is_not_in_the_table() -> None:
    assert flops_per_image(replace(RunSpec(), {"model": TimmSpec(name="resnet34")}), 3, 10) is None
