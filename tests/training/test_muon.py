"""Muon on stacked matrices, against torch's, which takes them one by one."""

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from deit_core.models import VisionTransformer
from deit_core.spec import OptimSpec
from deit_core.training.muon import StackedMuon
from deit_core.training.optim import build_optimizer

SHAPES = ((24, 8), (8, 8), (16, 8), (8, 16)) * 2  # the matrices of two blocks of a ViT
NUM_STEPS = 20


def matrices() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def groups(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    """Two, as layer decay makes them: a stack then holds matrices of both."""
    return [
        {"params": parameters[:4], "weight_decay": 0.05, "lr_scale": 0.5},
        {"params": parameters[4:], "weight_decay": 0.1, "lr_scale": 1.0},
    ]


def torchs(parameters: list[nn.Parameter]) -> torch.optim.Muon:
    return torch.optim.Muon(groups(parameters), lr=1e-2, adjust_lr_fn="match_rms_adamw")


def ours(parameters: list[nn.Parameter], products: torch.dtype) -> StackedMuon:
    return StackedMuon(groups(parameters), 1e-2, products)


def make_steps(optimizer: torch.optim.Optimizer, steps: range, *, as_tensor: bool = False) -> None:
    """Steps with gradients and learning rates that depend on the step's number alone."""
    for number in steps:
        torch.manual_seed(number)
        for group in optimizer.param_groups:
            lr = 1e-2 * group["lr_scale"] / (1 + number)
            group["lr"] = torch.tensor(lr) if as_tensor else lr
            for parameter in group["params"]:
                parameter.grad = torch.randn_like(parameter)
        optimizer.step()


@torch.no_grad()
def largest_difference(one: list[nn.Parameter], other: list[nn.Parameter]) -> float:
    """Relative to how far the parameters have moved."""
    pairs = zip(one, other, matrices(), strict=True)
    return max(float((a - b).norm() / (b - start).norm()) for a, b, start in pairs)


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("products", [torch.float32, torch.bfloat16])
def test_many_steps_are_those_of_torch(products: torch.dtype, as_tensor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tensor, "bfloat16", lambda self: self.to(products))  # which torch's Muon always takes
    one, other = matrices(), matrices()
    make_steps(ours(one, products), range(NUM_STEPS), as_tensor=as_tensor)
    make_steps(torchs(other), range(NUM_STEPS))
    assert largest_difference(one, other) < 1e-5


def test_products_in_float32_differ_from_bfloat16_by_its_rounding() -> None:
    one, other = matrices(), matrices()
    make_steps(ours(one, torch.float32), range(NUM_STEPS))
    make_steps(torchs(other), range(NUM_STEPS))
    assert 1e-4 < largest_difference(one, other) < 0.02


def saved(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file, weights_only=True)
    return state


def test_it_goes_on_from_a_state_of_torchs_muon_and_saves_the_same_form() -> None:
    one, other = matrices(), matrices()
    before = torchs(other)
    make_steps(before, range(5))
    after = ours(one, torch.bfloat16)
    after.load_state_dict(saved(before))
    with torch.no_grad():
        for parameter, value in zip(one, other, strict=True):
            parameter.copy_(value)
    state, theirs = saved(after), saved(before)
    assert state["param_groups"] == theirs["param_groups"]
    assert state["state"].keys() == theirs["state"].keys()
    for index, values in theirs["state"].items():
        assert state["state"][index].keys() == values.keys()
        assert torch.equal(state["state"][index]["momentum_buffer"], values["momentum_buffer"])
    make_steps(after, range(5, 10))
    make_steps(before, range(5, 10))
    assert largest_difference(one, other) < 1e-5


class Calls(TorchDispatchMode):
    """Names of the operations that torch is given."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def calls_of_a_step(parameters: list[nn.Parameter]) -> list[str]:
    optimizer = ours(parameters, torch.bfloat16)
    make_steps(optimizer, range(1), as_tensor=True)
    with Calls() as calls:
        optimizer.step()
    return calls.names


def test_a_step_is_as_many_calls_whatever_the_number_of_matrices_and_reads_no_value_back() -> None:
    few, many = calls_of_a_step(matrices()), calls_of_a_step(matrices() + matrices()[4:])
    assert few == many
    assert "baddbmm" in few
    assert "_local_scalar_dense" not in few  # .item(), for which a GPU would wait


def test_matrices_without_a_gradient_stay() -> None:
    parameters = matrices()
    optimizer = ours(parameters, torch.float32)
    parameters[5].grad = torch.ones_like(parameters[5])
    optimizer.step()
    moved = [not torch.equal(now, before) for now, before in zip(parameters, matrices(), strict=True)]
    assert moved == [index == 5 for index in range(len(SHAPES))]
    assert list(optimizer.state) == [parameters[5]]


def test_the_matrices_of_a_vit_are_multiplied_in_float32_on_a_cpu() -> None:
    optimizer = build_optimizer(VisionTransformer(16, 4, 1, 10, 32, 2, 2), OptimSpec(optimizer="muon"))
    assert [part.products for part in optimizer.parts if isinstance(part, StackedMuon)] == [torch.float32]  # type: ignore[union-attr]
