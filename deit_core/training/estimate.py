"""How long a run will take on this machine: a second of its real steps on made-up pixels, and arithmetic.

Needs no data set, so it can be measured before anything is downloaded.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from deit_core.catalog import SOURCES
from deit_core.distillation import DistillationTeacher
from deit_core.models import build_model, find_teacher, read_card
from deit_core.spec import AnySpec, ExperimentSpec, RunSpec, members
from deit_core.training.device import choose_device, place
from deit_core.training.step import TrainStep

_PROBE_S = 1.0


def estimate_duration(spec: RunSpec, teacher_spec: RunSpec | None, num_threads: int) -> float:
    """Seconds of training, validation and test, without the start of the process.

    Args:
        teacher_spec: the spec of the teacher the student would learn from, where there is one.
        num_threads: CPU threads where the spec does not say.
    """
    torch.set_num_threads(spec.compute.num_threads or num_threads)
    device = choose_device(spec.compute)
    facts = SOURCES[spec.data.source]
    num_images = facts.num_train * spec.data.fraction
    num_val = num_images * spec.data.val_fraction
    num_train = num_images - num_val
    batch_size = min(spec.optim.batch_size, int(num_train))

    def build(run: RunSpec) -> torch.nn.Module:
        return place(build_model(run), device)

    def pixels(count: int) -> torch.Tensor:
        return torch.rand(count, facts.in_chans, spec.data.img_size, spec.data.img_size, device=device)

    teacher = None
    if teacher_spec is not None:
        half = (0.5,) * facts.in_chans
        precision = teacher_spec.compute.precision
        teacher = DistillationTeacher(build(teacher_spec), half, half, teacher_spec.data.img_size, precision).to(device)
    model = build(spec)
    step = TrainStep(spec, model, teacher, lambda x: x - 0.5, steps_per_epoch=max(1, int(num_train) // batch_size))
    batch, labels = pixels(batch_size), torch.zeros(batch_size, dtype=torch.long, device=device)
    step_s = _seconds_per_call(lambda: step(batch, labels, 0)["train_loss"].item())  # reading it waits for the device

    model.eval()
    eval_batch = pixels(min(512, facts.num_test))
    with torch.no_grad():
        image_s = _seconds_per_call(lambda: model(eval_batch).sum().item()) / len(eval_batch)
    per_epoch_s = step_s * step.steps_per_epoch + image_s * num_val
    return per_epoch_s * spec.optim.epochs + image_s * facts.num_test


def estimate_durations(spec: AnySpec, runs_dir: Path, num_threads: int) -> dict[str, float]:
    """Seconds for every run of a spec, by name. Teachers from outside the experiment are read from their checkpoints.

    Raises: DeitError where such a checkpoint, or the device that is asked for, is not there.
    """
    durations: dict[str, float] = {}
    for run in members(spec):
        teacher = spec.teacher_of(run) if isinstance(spec, ExperimentSpec) else None
        if teacher is None and run.distillation is not None:
            teacher = read_card(find_teacher(run.distillation.teacher, runs_dir)).spec
        durations[run.name] = estimate_duration(run, teacher, num_threads)
    return durations


def _seconds_per_call(call: Callable[[], float]) -> float:
    """Median over about a second, after two calls to warm up."""
    call()
    call()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - began < _PROBE_S:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2]
