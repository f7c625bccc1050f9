"""Finds the fastest plan of a run on its device: each plan makes the run's first steps on a copy, and is timed.

The result is kept in a file for each (model, batch, device), so that it is measured once and equal runs on one machine
compute alike. All runs follow the first result; where compiling was tried too, there is a separate file, which has
priority. Where a processor has no instructions for bfloat16 it is not tried: a step takes many times as long there.
Knows nothing of the data of the run.
"""

import hashlib
import itertools
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.data.batches import Batch
from deit_core.files import write_atomically
from deit_core.metrics import TRAIN_LOSS
from deit_core.training.device import Plan, machine_facts, multiplies_bfloat16, plain_plan
from deit_core.training.measures import Sums
from deit_core.training.recorded_step import make_stepper
from deit_core.training.step import TrainStep

TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}  # of the first losses, relative to those of the plain plan
_NUM_LOSSES = 3
_TRIAL_STEPS = 1000  # numbers of steps, gone round again where a trial makes more
_TRIAL_S = 0.1  # of each plan at least, besides the first step, which warms up
_TRIAL_SHARE = 1e-3  # of the whole run, that each plan is tried for: other programs disturb short trials
_MARGIN = 1.1  # a plan must be this much faster to be worth its rounding; less may be chance
_WORTH_COMPILING_S = 1800.0  # of training: trying it takes about a minute, and gains nothing on many a machine

log = logging.getLogger(__name__)

Trial = Callable[[TrainStep, Plan, Tensor, Tensor, float], tuple[list[float], float]]


def try_plan(step: TrainStep, plan: Plan, pixels: Tensor, labels: Tensor, trial_s: float) -> tuple[list[float], float]:
    """The losses of the first steps computed by `plan`, and the seconds of the quickest step after the first.

    Args: trial_s: how many seconds the steps after the first take together at least.
    Raises: RuntimeError where this device cannot compute so.
    """
    teacher = None if step.teacher is None else SilentTeacher(labels, int(step.model.num_classes))  # type: ignore[arg-type]
    trial = TrainStep(step.spec, deepcopy(step.model), teacher, step.normalize, step.steps_per_epoch)
    trial.follow(plan)
    sums, batch = Sums({}), Batch(pixels, labels, rows=torch.arange(len(labels)))
    make = make_stepper(trial, sums, _TRIAL_STEPS)
    losses: list[float] = []
    seconds: list[float] = []
    while len(losses) < _NUM_LOSSES or sum(seconds[1:]) < trial_s:
        began = time.perf_counter()
        make(batch, len(losses) % _TRIAL_STEPS)
        losses.append(sums.take_group()[0][TRAIN_LOSS])  # reading it waits for the device
        seconds.append(time.perf_counter() - began)
    return losses[:_NUM_LOSSES], min(seconds[1:])


def choose_plan(
    step: TrainStep, pixels: Tensor, labels: Tensor, home: Path, num_steps: int, *, trial: Trial = try_plan
) -> Plan:
    """The fastest plan that the spec of `step` leaves open and whose first losses agree with the plain plan's.

    Neither the model of `step` nor its optimiser changes.

    Args:
        pixels, labels: a batch of the run, (B, C, S, S) in [0, 1] and (B,), on the run's device.
        home: the folder where plans are remembered.
        num_steps: steps of the whole run; compiling is tried only where they take long. Of a step that ranks make
            together this one's own work is tried, and only plans that neither record nor compile it.
        trial: how a plan is tried, called as `try_plan`.
    """
    is_free = step.spec.compute.precision == "auto" and multiplies_bfloat16(pixels.device)
    plain = plain_plan(step.spec.compute)
    key = _key(step, pixels)
    files = home / f"{key}-compiled.json", home / f"{key}.json"
    result = _read_first(files)
    worth_s = _WORTH_COMPILING_S if step.ranks.is_alone else math.inf
    if result and (result["tried_compiled"] or result["seconds_per_step"][str(plain)] * num_steps < worth_s):
        return Plan(**result["plan"])
    losses, plain_s = trial(step, plain, pixels, labels, _TRIAL_S)
    trial_s = _TRIAL_SHARE * plain_s * num_steps
    if trial_s > _TRIAL_S:
        plain_s = min(plain_s, trial(step, plain, pixels, labels, trial_s)[1])
    seconds, is_long = {plain: plain_s}, plain_s * num_steps > worth_s
    plans = _others(plain, step.model, is_free=is_free, is_long=is_long, is_alone=step.ranks.is_alone)
    for plan in plans:
        try:
            its_losses, its_s = trial(step, plan, pixels, labels, max(trial_s, _TRIAL_S))
        except RuntimeError as error:  # not possible on this device, no compiler, or no memory for it
            log.warning("%s is not possible here: %s", plan, str(error).partition("\n")[0])
            continue
        if agree(its_losses, losses, TOLERANCE[plan.precision]):
            seconds[plan] = its_s
    fastest = min(seconds, key=lambda plan: seconds[plan])
    chosen = fastest if seconds[fastest] * _MARGIN < plain_s else plain
    result = {
        "plan": asdict(chosen),
        "tried_compiled": is_long,
        "seconds_per_step": {str(plan): its_s for plan, its_s in seconds.items()},
    }
    with suppress(FileExistsError):  # another run wrote its result first, and both follow it
        write_atomically(files[0 if is_long else 1], json.dumps(result, indent=2).encode(), replace=False)
    return Plan(**_read_first(files)["plan"])


def _read_first(files: Iterable[Path]) -> dict[str, Any]:
    """The content of the first existing file."""
    return next((json.loads(file.read_bytes()) for file in files if file.exists()), {})


def agree(losses: list[float], expected: list[float], tolerance: float) -> bool:
    """Whether losses are as expected, each within a relative `tolerance`."""
    return all(abs(loss - right) <= tolerance * abs(right) for loss, right in zip(losses, expected, strict=True))


def _others(plain: Plan, model: nn.Module, *, is_free: bool, is_long: bool, is_alone: bool) -> Iterator[Plan]:
    """Every other plan worth a trial. Memory layouts differ only where there is more than the patches' convolution."""
    num_convolutions = sum(parameter.ndim == 4 for parameter in model.parameters())
    precisions = ("float32", "bfloat16") if is_free else (plain.precision,)
    layouts = (True, False) if num_convolutions > 1 else (True,)
    on_gpu = next(model.parameters()).device.type == "cuda"
    manners: list[dict[str, bool]] = [{}, {"recorded": True}] if on_gpu and is_alone else [{}]
    if is_long:
        manners.append({"compiled": True})
    for precision, channels_last, manner in itertools.product(precisions, layouts, manners):
        plan = Plan(precision, channels_last, **manner)  # type: ignore[arg-type]
        if plan != plain:
            yield plan


class SilentTeacher(nn.Module):
    """A teacher that costs no time: for all pixels it predicts `labels`."""

    def __init__(self, labels: Tensor, num_classes: int) -> None:
        super().__init__()
        self.logits = F.one_hot(labels.clamp(min=0), num_classes).float()

    def forward(self, pixels: Tensor) -> Tensor:
        return self.logits


def _key(step: TrainStep, pixels: Tensor) -> str:
    """Facts that decide which plan is the fastest. A ViT and its DeiT share them: they must compute alike."""
    spec = step.spec
    facts: dict[str, Any] = {
        "model": spec.model.model_dump(exclude={"distilled"}),
        "batch": list(pixels.shape),
        "optimizer": spec.optim.optimizer,
        "precision": spec.compute.precision,
        "machine": machine_facts(pixels.device),
    }
    if not step.ranks.is_alone:
        facts["together"] = True
    if step.num_parts > 1:
        facts["parts"] = step.num_parts
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
