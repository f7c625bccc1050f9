"""The optimiser of a spec, and its learning rate as a pure function of the step."""

import math
from typing import Any

import torch
from torch import nn

from deit_core.models import VisionTransformer
from deit_core.spec import OptimSpec
from deit_core.training.muon import MuonWithAdamW
from deit_core.training.optimizers import SGD, AdamW

Optimizer = torch.optim.Optimizer | MuonWithAdamW


def learning_rate(step: int, spec: OptimSpec, steps_per_epoch: int) -> float:
    """Linear warm-up to the scaled `peak_lr`, then a half cosine down to `min_lr`.

    Args:
        step: counted from 0; the first step already has a rate above 0.
    """
    total = spec.epochs * steps_per_epoch
    warmup = round(spec.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return spec.peak_lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return spec.min_lr + (spec.peak_lr - spec.min_lr) * (1 + math.cos(math.pi * progress)) / 2


def build_optimizer(model: nn.Module, spec: OptimSpec) -> Optimizer:
    """AdamW, SGD or Muon; biases, norms, tokens and positions get no weight decay.

    Muon takes the matrices of a ViT's blocks; patches, tokens, positions and heads stay with AdamW.
    """
    groups = parameter_groups(model, spec.weight_decay, spec.layer_decay)
    if spec.optimizer == "sgd":
        return SGD(groups, lr=spec.peak_lr, momentum=0.9, nesterov=True, fused=True)
    if spec.optimizer == "adamw":
        return AdamW(groups, lr=spec.peak_lr, fused=True)
    matrices = {id(p) for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2}

    def part(*, of_matrices: bool) -> list[dict[str, Any]]:
        chosen = ([p for p in group["params"] if (id(p) in matrices) == of_matrices] for group in groups)
        return [group | {"params": params} for group, params in zip(groups, chosen, strict=True) if params]

    return MuonWithAdamW(part(of_matrices=True), part(of_matrices=False), spec.peak_lr)


def set_learning_rate(optimizer: Optimizer, lr: float) -> None:
    """Give every group the learning rate `lr`, times its `lr_scale` where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)


def parameter_groups(model: nn.Module, weight_decay: float, layer_decay: float = 1.0) -> list[dict[str, Any]]:
    """Parameter groups with and without weight decay (vectors, and those in the model's `no_weight_decay`).

    Two groups; with `layer_decay` below 1 two for each layer of a ViT, whose `lr_scale` is layer_decay ** (L - i) in
    layer i of 0..L: the embedding is layer 0, the heads are layer L.

    Source of layer decay: Bao et al. 2022 (arXiv:2106.08254), as in timm, where the last norm is of the last block.
    """
    spared = model.no_weight_decay() if isinstance(model, VisionTransformer) else set()

    def decays(name: str, parameter: nn.Parameter) -> bool:
        return parameter.ndim > 1 and name not in spared

    if layer_decay == 1.0 or not isinstance(model, VisionTransformer):
        decayed: list[nn.Parameter] = []
        free: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            (decayed if decays(name, parameter) else free).append(parameter)
        return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        key = _layer(name, model.depth), decays(name, parameter)
        scale = layer_decay ** (model.depth + 1 - key[0])
        settings = {"params": [], "weight_decay": weight_decay if key[1] else 0.0, "lr_scale": scale}
        groups.setdefault(key, settings)["params"].append(parameter)
    return list(groups.values())


def _layer(name: str, depth: int) -> int:
    """The layer, 0..depth + 1, that a parameter of a ViT belongs to."""
    part, *rest = name.split(".")
    if part == "blocks":
        return int(rest[0]) + 1
    return {"norm": depth, "fc_norm": depth, "head": depth + 1, "head_dist": depth + 1}.get(part, 0)
