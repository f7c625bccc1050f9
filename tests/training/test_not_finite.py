"""Numbers that are not finite: in weights they are refused by name, in a teacher's logits they end the run."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from deit_core.distillation import hard_distillation, soft_distillation
from deit_core.errors import CheckpointError
from deit_core.events import RunFailed
from deit_core.models import load_checkpoint, load_foreign, read_card, save_weights
from deit_core.spec import RunSpec
from deit_core.training import train


def spoil(file: Path, tensor: str, value: float) -> None:
    with safe_open(file, framework="pt") as content:
        metadata = content.metadata()
    state = load_file(file)
    state[tensor].view(-1)[0] = value
    save_file(state, file, metadata=metadata)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("own", [True, False], ids=["ours", "others"])
@pytest.mark.parametrize("use", ["teacher", "start", "model"])
def test_weights_that_are_not_finite_are_refused(
    value: float, own: bool, use: str, finished: Path, tiny: RunSpec, tmp_path: Path
) -> None:
    file = finished / "best.safetensors"
    if not own:
        save_file(load_file(file), tmp_path / "others.safetensors")
        file = tmp_path / "others.safetensors"
    spoil(file, "blocks.1.mlp.fc2.weight", value)
    taught = RunSpec.model_validate(tiny.model_dump() | {"distillation": {"teacher": str(file)}})
    started = RunSpec.model_validate(tiny.model_dump() | {"initial_checkpoint": str(file)})
    calls: dict[str, Callable[[], object]] = {
        "teacher": lambda: list(train(taught, run_dir=tmp_path / "r")),
        "start": lambda: list(train(started, run_dir=tmp_path / "r")),
        "model": lambda: load_checkpoint(file) if own else load_foreign(file, num_heads=2),
    }
    with pytest.raises(CheckpointError, match=r"not finite, in the tensor blocks\.1\.mlp\.fc2\.weight") as caught:
        calls[use]()
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_a_teachers_logits_that_are_not_finite_end_the_run(
    kind: str, finished: Path, tiny: RunSpec, tmp_path: Path
) -> None:
    """Finite weights may give them all the same: these overflow."""
    file = finished / "best.safetensors"
    model = load_checkpoint(file)
    for tensor in ("norm.weight", "head.weight"):
        model.state_dict()[tensor].view(-1)[0] = 3e38
    save_weights(file, model, read_card(file))
    spec = RunSpec.model_validate(tiny.model_dump() | {"distillation": {"teacher": str(finished), "kind": kind}})
    *_, last = train(spec, run_dir=tmp_path / "r")
    assert isinstance(last, RunFailed)
    assert f"The teacher {finished} had logits that are not finite numbers at step 1 (epoch 1)" in last.reason
    assert "Start again with another teacher" in last.reason


def test_a_logit_of_minus_infinity_is_a_probability_of_zero() -> None:
    student = torch.randn(3, 5, requires_grad=True)
    teacher = torch.randn(3, 5)
    teacher[:, 2] = -torch.inf
    loss = soft_distillation(student, teacher, tau=2.0)
    target = torch.softmax(teacher / 2, dim=-1)
    others = [0, 1, 3, 4]
    terms = target[:, others] * (target[:, others].log() - torch.log_softmax(student / 2, dim=-1)[:, others])
    torch.testing.assert_close(loss, terms.sum() * 4 / 3)
    loss.backward()
    torch.testing.assert_close(student.grad, (torch.softmax(student / 2, dim=-1) - target).detach() * 2 / 3)
    assert hard_distillation(student, teacher).isfinite()
