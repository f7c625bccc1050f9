"""Comparing runs: where their settings differ, and whether they differ only in what is being compared.

Plain data: knows specs, not runs, curves or pages; loads no torch.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from deit_core.spec import DistillationSpec, RunSpec

_FAIR = ("name", "tags", "notes", "distillation", "model.distilled", "augment.test_flip")

# The effect of a difference on a comparison, by the longest path that matches it.
_REASONS = {
    "initial_checkpoint": "they start from different weights, and one of these may be trained already",
    "seed": "they start from different weights and see the images in another order, which alone changes accuracy",
    "data": "they learn from, or are evaluated on, different images",
    "data.img_size": "one sees the images in more detail",
    "data.normalization": "their pixels are normalised differently",
    "model": "the models are built differently, which alone changes accuracy",
    "optim": "the training recipes differ, which alone changes accuracy",
    "optim.epochs": "one trains longer",
    "optim.batch_size": "one takes more steps in an epoch, each from fewer images",
    "augment": "they see different views of the training images",
    "compute": "their training times and images per second cannot be compared",
    "compute.precision": "they round differently, and their times cannot be compared",
}

# Fields that change nothing in a run whose other fields are as asked here.
_IDLE: dict[str, Callable[[RunSpec], bool]] = {
    "distillation.accept_any_teacher": lambda spec: True,
    "distillation.stored_views": lambda spec: True,
    "distillation.stored_logits": lambda spec: _taught(spec).stored_logits != "float16",  # which also rounds them
    "distillation.teacher_num_heads": lambda spec: _taught(spec).teacher_num_heads is None,
    "distillation.trained_fusion": lambda spec: not _taught(spec).trained_fusion,
    "distillation.tau": lambda spec: _taught(spec).kind == "hard",
    "distillation.standardize": lambda spec: _taught(spec).kind == "hard",
    "distillation.reduction": lambda spec: _taught(spec).kind == "hard",
    "distillation.mixed_labels": lambda spec: spec.augment.mixup_alpha == spec.augment.cutmix_alpha == 0,
    "augment.mixup_prob": lambda spec: spec.augment.mixup_alpha == spec.augment.cutmix_alpha == 0,
    "augment.mixup_switch_prob": lambda spec: 0 in (spec.augment.mixup_alpha, spec.augment.cutmix_alpha),
    "augment.randaugment_magnitude": lambda spec: not spec.augment.randaugment_ops,
    "optim.ema_decay": lambda spec: spec.optim.ema == "off",
    "optim.ema_warmup": lambda spec: spec.optim.ema == "off",
}


@dataclass(frozen=True)
class Difference:
    """A field in which specs differ: a value for each of them, None where the field is empty or absent.

    `description` is empty where the field has another meaning in each of them.
    """

    path: str
    description: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Mismatch:
    """A difference that makes a comparison unfair, and `reason`, the end of a sentence on why."""

    path: str
    values: tuple[Any, Any]
    reason: str


def differences(specs: Sequence[RunSpec]) -> list[Difference]:
    """The fields whose values are not the same in all specs, in the order of the spec; without those that change
    nothing in any of them, such as tau in hard distillation.
    """
    tables = [dict(_fields(spec)) for spec in specs]
    paths = sorted({path: None for table in tables for path in table}, key=_section)
    rows = [(path, [table[path] for table in tables if path in table]) for path in paths]
    result = []
    for path, fields in rows:
        values = tuple(table[path].value if path in table else None for table in tables)
        own = [spec for spec, table in zip(specs, tables, strict=True) if path in table]
        is_idle = path in _IDLE and all(map(_IDLE[path], own))
        if any(value != values[0] for value in values) and not is_idle:
            descriptions = {field.description for field in fields}
            result.append(Difference(path, descriptions.pop() if len(descriptions) == 1 else "", values))
    return result


def mismatches(first: RunSpec, second: RunSpec) -> list[Mismatch]:
    """Why a comparison of two runs is not fair: all differences except the distillation, the name, tags and notes.

    Models of two families differ in all of their fields; then only the family is named. Epochs count as fair where both
    make as many steps: without a teacher an epoch has only the images whose labels are known.
    """
    specs = [first, second]
    if first.data == second.data:
        specs = [_in_whole_epochs(spec) for spec in specs]
    result = [
        Mismatch(difference.path, (difference.values[0], difference.values[1]), _reason(difference.path))
        for difference in differences(specs)
        if not _is_under(difference.path, _FAIR)
    ]
    if first.model.family != second.model.family:
        result = [one for one in result if one.path == "model.family" or not _is_under(one.path, ("model",))]
    return result


def chance_margin(accuracies: tuple[float, float], num_images: int) -> float:
    """The difference of two accuracies that chance alone exceeds once in twenty times.

    Assumes that both are measured on independent samples of `num_images`, which is cautious for one shared test set.
    """
    variance = sum(accuracy * (1 - accuracy) for accuracy in accuracies) / num_images
    return 1.96 * math.sqrt(variance)


def _taught(spec: RunSpec) -> DistillationSpec:
    assert spec.distillation is not None, "only a spec with the field is asked"
    return spec.distillation


class _Field(NamedTuple):
    value: Any
    description: str


def _fields(part: BaseModel, prefix: str = "") -> Iterator[tuple[str, _Field]]:
    """Path and field of each value, in the order of the spec."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _Field(value, field.description or "")


def _in_whole_epochs(spec: RunSpec) -> RunSpec:
    """The spec with its epochs counted as if each had all training images."""
    share, optim = spec.share_trained, spec.optim
    if share == 1:
        return spec
    epochs = {"epochs": max(1, round(optim.epochs * share)), "warmup_epochs": optim.warmup_epochs * share}
    return spec.with_changes(optim=optim.with_changes(**epochs))


def _section(path: str) -> int:
    return list(RunSpec.model_fields).index(path.split(".")[0])


def _reason(path: str) -> str:
    return _REASONS[max((known for known in _REASONS if _is_under(path, (known,))), key=len)]


def _is_under(path: str, parents: tuple[str, ...]) -> bool:
    return any(path == parent or path.startswith(f"{parent}.") for parent in parents)
