"""The optimiser of a spec, and its learning rate as a pure function of the step."""

import math

import torch
from torch import nn

from deit_core.models import VisionTransformer
from deit_core.spec import OptimSpec


def learning_rate(step: int, spec: OptimSpec, steps_per_epoch: int) -> float:
    """Linear warm-up to `lr`, then a half cosine down to `min_lr`.

    Args:
        step: counted from 0; the first step already moves.
    """
    total = spec.epochs * steps_per_epoch
    warmup = round(spec.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return spec.lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return spec.min_lr + (spec.lr - spec.min_lr) * (1 + math.cos(math.pi * progress)) / 2


def build_optimizer(model: nn.Module, spec: OptimSpec) -> torch.optim.Optimizer:
    """AdamW or SGD in which biases, norms, tokens and positions are spared weight decay."""
    groups = parameter_groups(model, spec.weight_decay)
    if spec.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=spec.lr, momentum=0.9, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=spec.lr, fused=True)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Two groups: what decays, and what does not (vectors, and what the model's `no_weight_decay` names)."""
    spared = model.no_weight_decay() if isinstance(model, VisionTransformer) else set()
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (free if parameter.ndim <= 1 or name in spared else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
