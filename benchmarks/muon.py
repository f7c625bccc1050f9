"""A step of Muon: all matrices of a shape at once, against torch's, which takes them one by one.

Only the matrices of the blocks of a ViT, with gradients of noise: no forward, no backward. The two take turns.
"""

import statistics
from collections.abc import Iterator

import torch
from torch import nn

from benchmarks.timing import median_ratio, seconds_of
from deit_core import presets
from deit_core.models import VisionTransformer, build_student
from deit_core.spec import ComputeSpec
from deit_core.training.device import choose_device
from deit_core.training.muon import MuonWithAdamW

_ROUNDS, _LONG_ROUNDS = 7, 41  # the first is a warm-up


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Milliseconds of a step, and their ratio, of the mini-project's DeiT, and of blocks of DeiT-Ti."""
    mini_project = next(spec for spec in presets.fashion_miniproject().runs if spec.distillation)
    models = {
        "mini-project": build_student(mini_project),
        "DeiT-Ti, 2 of its 12 blocks": VisionTransformer(embed_dim=192, num_heads=3, depth=2, distilled=True),
    }
    for name, model in models.items():
        steps = {"torch": _torchs(_matrices(model)).step, "stacked": _ours(_matrices(model)).step}
        seconds: dict[str, list[float]] = {who: [] for who in steps}
        for _ in range(_LONG_ROUNDS if long else _ROUNDS):
            for who, step in steps.items():
                seconds[who].append(seconds_of(step))
        torchs, ours = seconds["torch"][1:], seconds["stacked"][1:]
        low, ratio, high = median_ratio(torchs, ours)
        yield {
            "model": name,
            "torch_ms": round(1000 * statistics.median(torchs), 2),
            "stacked_ms": round(1000 * statistics.median(ours), 2),
            "times_faster": round(ratio, 2),
            "interval_95": f"{low:.2f} to {high:.2f}",
        }


def _matrices(model: VisionTransformer) -> list[nn.Parameter]:
    """Of its own for each optimiser."""
    device = choose_device(ComputeSpec())
    found = [
        nn.Parameter(parameter.detach().to(device, copy=True))
        for parameter in model.blocks.parameters()
        if parameter.ndim == 2
    ]
    for matrix in found:
        matrix.grad = torch.randn_like(matrix)
    return found


def _torchs(matrices: list[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Muon(matrices, lr=1e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")


def _ours(matrices: list[nn.Parameter]) -> torch.optim.Optimizer:
    group = {"params": matrices, "weight_decay": 0.05}
    return MuonWithAdamW([group], [{"params": [nn.Parameter(torch.zeros(1))]}], 1e-3).parts[0]
