"""How long a run will take on this machine: one second of its real steps on random pixels, and arithmetic.

Needs no data set, so it can be measured before anything is downloaded. For a large model only a part of the batch is
measured, and the time is scaled up.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from deit_core.analysis.rough_time import sweep_factors
from deit_core.catalog import SourceFacts
from deit_core.data.batches import Batch
from deit_core.data.splits import too_few
from deit_core.distillation import DistillationTeacher
from deit_core.image_folders.facts import facts_of
from deit_core.layout import plans_folder
from deit_core.metrics import TRAIN_LOSS
from deit_core.models import build_model, find_teacher, is_foreign, load_teacher, read_card
from deit_core.spec import AnySpec, ExperimentSpec, RunSpec, members
from deit_core.training.device import Plan, choose_device, place, plain_plan
from deit_core.training.measures import Sums
from deit_core.training.probe import SilentTeacher, choose_plan
from deit_core.training.recorded_step import make_stepper
from deit_core.training.step import TrainStep

_PROBE_S = 1.0
BATCH_S = 1.0  # of a batch with a longer forward pass only a part is measured


def seconds_per_call(call: Callable[[], float], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median over about a second, after two calls to warm up. If a call takes seconds, the first one is enough."""
    times: list[float] = []
    while len(times) < 5 or sum(times[2:]) < _PROBE_S:
        started = clock()
        call()
        times.append(clock() - started)
        if sum(times) > 4 * _PROBE_S:
            return min(times)
    return sorted(times[2:])[len(times[2:]) // 2]


def estimate_duration(
    spec: RunSpec,
    teacher: RunSpec | DistillationTeacher | None,
    plans: Path,
    num_threads: int,
    facts: SourceFacts,
    *,
    measure: Callable[[Callable[[], float]], float] = seconds_per_call,
) -> float:
    """Seconds of training, validation and test, without the start of the process.

    Args:
        teacher: the student's teacher, if there is one, or the spec of its run.
        plans: the folder with the fastest plans of models on this machine.
        num_threads: CPU threads where the spec does not say.
        facts: of the spec's data.
        measure: gives the seconds that a call takes.
    Raises: SpecError where there is no image to train on.
    """
    torch.set_num_threads(spec.compute.num_threads or num_threads)
    num_train, num_val = spec.num_images(facts.num_train)
    if num_train < 1:
        shares = f"data.fraction {spec.data.fraction:g} with data.val_fraction {spec.data.val_fraction:g}"
        raise too_few(shares, f"{int(num_train + num_val)} images for {len(facts.classes)} classes")
    step, pixels, labels = _first_step(spec, int(num_train), plans, facts)
    sums, batch = Sums({}), Batch(pixels, labels, rows=torch.arange(len(labels)))
    make = make_stepper(step, sums, 1)

    def make_step() -> float:
        make(batch, 0)
        return sums.take_group()[0][TRAIN_LOSS]  # reading it waits for the device

    step_s = measure(make_step)
    if isinstance(teacher, RunSpec):
        teacher = _teacher(teacher, pixels, plans, facts)
    if teacher is not None:
        place(teacher, pixels.device)
        step_s += measure(lambda: teacher(pixels).sum().item()) * _share_asked(spec)
    model = step.model.eval()
    with torch.no_grad():
        image_s = measure(lambda: model(pixels).sum().item()) / len(pixels)
    num_models = 2 if spec.optim.ema == "separate" else 1
    num_parts = min(spec.optim.batch_size, int(num_train)) / len(pixels)  # of a batch; 1 where it is measured whole
    per_epoch_s = step_s * num_parts * step.steps_per_epoch + image_s * num_val * num_models
    num_looks = num_models + 2 * spec.augment.test_flip
    return per_epoch_s * spec.optim.epochs + image_s * (facts.num_test * num_looks + num_val)


def _first_step(spec: RunSpec, num_train: int, plans: Path, facts: SourceFacts) -> tuple[TrainStep, Tensor, Tensor]:
    """A step of a run, ready to be made, with random pixels (B, C, S, S) and labels (B,).

    Without its teacher, whose time is measured separately. If B is only a part of the run's batch, the fastest plan is
    not tried: the run itself does that.
    """
    device = choose_device(spec.compute)
    batch_size = min(spec.optim.batch_size, num_train)
    model = place(build_model(spec, in_chans=facts.in_chans, num_classes=len(facts.classes)), device)
    shape = facts.in_chans, spec.data.img_size, spec.data.img_size
    num_measured = _measurable(model, batch_size, shape, device)
    pixels = torch.rand(num_measured, *shape, device=device)
    labels = torch.arange(num_measured, device=device) % len(facts.classes)
    teacher = SilentTeacher(labels, len(facts.classes)) if spec.distillation else None
    steps_per_epoch = max(1, num_train // batch_size)
    step = TrainStep(spec, model, teacher, lambda x: x - 0.5, steps_per_epoch)
    if num_measured == batch_size:
        step.follow(choose_plan(step, pixels, labels, plans, steps_per_epoch * spec.optim.epochs))
    else:
        likely = Plan("bfloat16") if device.type == "cuda" and spec.compute.precision == "auto" else None
        step.follow(likely or plain_plan(spec.compute))
    return step, pixels, labels


@torch.no_grad()
def _measurable(model: nn.Module, batch_size: int, shape: tuple[int, int, int], device: torch.device) -> int:
    """The number of images of a batch to measure: all, unless their forward pass takes longer than BATCH_S."""
    model.eval()
    num_images = min(2, batch_size)  # batch norm cannot train on one
    if device.type != "cpu":
        model(torch.rand(num_images, *shape, device=device))  # a GPU's first call takes seconds
    while num_images < batch_size:
        pixels = torch.rand(num_images, *shape, device=device)
        began = time.perf_counter()
        model(pixels).sum().item()
        if time.perf_counter() - began > BATCH_S / 2:
            break
        num_images = min(2 * num_images, batch_size)
    model.train()
    return num_images


def _teacher(spec: RunSpec, pixels: Tensor, plans: Path, facts: SourceFacts) -> DistillationTeacher:
    """A teacher like that of a run, equally fast, with useless logits."""
    step, _, _ = _first_step(spec, spec.optim.batch_size, plans, facts)
    half = (0.5,) * pixels.shape[1]
    return DistillationTeacher(step.model, half, half, spec.data.img_size, step.plan.precision)


def _share_asked(spec: RunSpec) -> float:
    """The share of a student's images for which the teacher runs, with a table of logits that is empty at first.

    An image shown n times, each time as one of v views, gives v (1 - (1 - 1/v)^n) different views.
    """
    views, epochs = spec.num_views, spec.optim.epochs
    assert spec.distillation is not None
    if views is None or spec.distillation.stored_logits == "off":
        return 1.0
    return views * (1 - (1 - 1 / views) ** epochs) / epochs


def estimate_durations(
    spec: AnySpec, runs_dir: Path, num_threads: int, data_dir: Path | str = "data"
) -> dict[str, float]:
    """Seconds for every run of a spec with all of its seeds, by name; with a sweep roughly for all that it makes of it.

    Teachers from outside the experiment are read from their checkpoints. A second seed finds more logits in the table
    than the first; this is not counted.

    Raises: DeitError where such a checkpoint, a folder of images, or the device is missing.
    """
    durations: dict[str, float] = {}
    for run in members(spec):
        facts = facts_of(run.data, Path(data_dir))
        teacher: RunSpec | DistillationTeacher | None = None
        if isinstance(spec, ExperimentSpec):
            teacher = spec.teacher_of(run)
        if teacher is None and run.distillation is not None:
            path = find_teacher(run.distillation.teacher, runs_dir)
            heads = run.distillation.teacher_num_heads
            teacher = (
                load_teacher(path, facts.classes, run.data, num_heads=heads)
                if is_foreign(path)
                else read_card(path).spec
            )
        once_s = estimate_duration(run, teacher, plans_folder(runs_dir), num_threads, facts)
        durations[run.name] = once_s * (spec.num_repeats(run) if isinstance(spec, ExperimentSpec) else 1)
    if isinstance(spec, ExperimentSpec) and spec.sweep is not None:
        return {name: factor * durations[name] for name, factor in sweep_factors(spec).items()}
    return durations
