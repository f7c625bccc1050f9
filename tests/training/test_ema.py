"""The moving average: timm's, to the last digits, and judged as the spec says."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import deit_core.torchvision_ops  # noqa: F401  timm imports torchvision
from deit_core.events import EpochDone, Event, RunFinished
from deit_core.models import load_checkpoint
from deit_core.models.cnn import ResNet9
from deit_core.spec import OptimSpec, RunSpec, replace
from deit_core.training import train
from deit_core.training.ema import ModelEma, ema_decay


def perturb(model: nn.Module) -> None:
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.add_(torch.rand_like(tensor) if tensor.is_floating_point() else 1)


@pytest.mark.parametrize("warmup", [True, False])
def test_it_is_timms(warmup: bool) -> None:
    """Weights and BatchNorm's statistics are averaged, its counters copied."""
    from timm.utils import ModelEmaV3

    torch.manual_seed(0)
    model = ResNet9(1, 10, 4)
    spec, ours = OptimSpec(ema="separate", ema_decay=0.9, ema_warmup=warmup), ModelEma(model)
    theirs = ModelEmaV3(model, decay=0.9, use_warmup=warmup)
    for step in range(60):  # the warm-up reaches 0.9 after 31 steps
        perturb(model)
        ours.update(model, ema_decay(step, spec))
        theirs.update(model, step + 1)
        if step % 10 == 0:
            expected = theirs.module.state_dict()
            for name, tensor in ours.module.state_dict().items():
                torch.testing.assert_close(tensor, expected[name])
    assert not ours.module.training


def test_warm_up_forgets_the_initial_weights_of_a_short_run() -> None:
    def share_of_the_first(warmup: bool) -> float:
        spec = OptimSpec(ema_decay=0.99996, ema_warmup=warmup)
        share = 1.0
        for step in range(1, 4680):
            share *= ema_decay(step, spec)
        return share

    assert share_of_the_first(warmup=False) > 0.8
    assert share_of_the_first(warmup=True) < 1e-6


@pytest.mark.parametrize("ema", ["separate", "replace"])
def test_what_is_judged_is_what_is_kept(
    ema: str, tiny: RunSpec, whole: tuple[list[Event], Path], tmp_path: Path
) -> None:
    spec = replace(tiny, {"optim.ema": ema, "optim.ema_decay": 0.9})
    events = list(train(spec, run_dir=tmp_path / ema, num_threads=1))
    averaged = torch.load(tmp_path / ema / "state.pt", weights_only=True)["ema"]
    kept, without = (load_file(folder / "last.safetensors") for folder in (tmp_path / ema, whole[1]))
    epochs = [event.metrics for event in events if isinstance(event, EpochDone)]
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    if ema == "replace":
        assert all(torch.equal(kept[name], averaged[name]) for name in kept)
        assert not torch.equal(kept["head.weight"], without["head.weight"])
        assert not {name for name in epochs[0] | finished.metrics if name.endswith("_ema")}
    else:
        assert all(torch.equal(kept[name], without[name]) for name in kept), "beside changes nothing of the run itself"
        assert {"val_loss_ema", "val_accuracy_ema"} <= epochs[0].keys()
        assert {"test_accuracy", "test_loss_ema", "test_accuracy_ema"} <= finished.metrics.keys()
        assert finished.metrics["test_loss"] != finished.metrics["test_loss_ema"]
        load_checkpoint(tmp_path / ema / "best_ema.safetensors")
