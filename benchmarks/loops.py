"""The loops of this project: steps as a run makes them, and the bare step that nothing can be taken from."""

from collections.abc import Callable, Iterator
from itertools import count, cycle, islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deit_core.data import ImageData, TrainBatches
from deit_core.data.batches import Batch
from deit_core.data.device_batches import DeviceBatches, PlannedBatch
from deit_core.spec import RunSpec
from deit_core.training.device import Plan, place
from deit_core.training.measures import Sums
from deit_core.training.recorded_step import GraphRecorder, is_recorded, make_stepper
from deit_core.training.step import TrainStep

STEPS = 40  # of one epoch, gone over again and again: so many batches hold all that a loop meets

Loop = Iterator[int]  # makes a step each time, and says of how many images
Normalize = Callable[[Tensor], Tensor]


def normalizer(data: ImageData, device: torch.device) -> Normalize:
    mean, std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (data.mean, data.std))
    return lambda pixels: (pixels - mean) / std


def train_batches(spec: RunSpec, data: ImageData, device: torch.device) -> TrainBatches:
    return TrainBatches(data.train, spec.optim.batch_size, spec.augment, spec.seed, device)


def batches_again(spec: RunSpec, data: ImageData, device: torch.device) -> Iterator[Batch]:
    """The first batches of an epoch, without end."""
    batches = train_batches(spec, data, device)
    while True:
        yield from islice(batches.epoch(0), STEPS)


def make_step(
    spec: RunSpec, model: nn.Module, teacher: nn.Module | None, data: ImageData, device: torch.device
) -> TrainStep:
    steps = train_batches(spec, data, device).steps_per_epoch
    return TrainStep(spec, place(model.train(), device), teacher, normalizer(data, device), steps)


def our_loop(step: TrainStep, data: ImageData, device: torch.device, plan: Plan) -> Loop:
    """Batches and steps, as a run makes them; what they measure is summed and not read."""
    step.follow(plan)
    num_steps = step.spec.optim.epochs * step.steps_per_epoch
    batches = train_batches(step.spec, data, device)
    planned = DeviceBatches(batches) if is_recorded(step) else None
    stepper = make_stepper(step, Sums({}), num_steps, planned)
    numbers = count()
    while True:
        epoch: Iterator[Batch | PlannedBatch] = (planned or batches).epoch(0)
        for batch, number in zip(islice(epoch, STEPS), numbers, strict=False):
            stepper(batch, number % num_steps)
            yield batches.batch_size


def bare_loop(
    spec: RunSpec, model: nn.Module, data: ImageData, device: torch.device, plan: Plan, *, recorded: bool = False
) -> Loop:
    """Forward, loss, backward and update on one batch, and nothing else.

    Args: recorded: as a CUDA graph.
    """
    place(model.train(), device, channels_last=plan.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, fused=True, capturable=recorded)
    batch = next(train_batches(spec, data, device).epoch(0))
    pixels = normalizer(data, device)(batch.pixels)
    teacher_logits = torch.randn(len(batch.labels), len(data.classes), device=device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=plan.precision == "bfloat16"):
            outputs = model(pixels)
        optimizer.zero_grad(set_to_none=True)
        distillation_loss(spec, outputs, teacher_logits, batch.labels).backward()
        optimizer.step()

    if recorded:
        recorder = GraphRecorder(device)
        for _ in range(3):
            recorder.run(step)
        optimizer.zero_grad(set_to_none=True)
        step = recorder.record(step)
    for _ in cycle([0]):
        step()
        yield len(batch.labels)


def distillation_loss(
    spec: RunSpec, outputs: Tensor | tuple[Tensor, Tensor], teacher_logits: Tensor, labels: Tensor
) -> Tensor:
    """The loss of a spec, as others write it."""
    if isinstance(outputs, Tensor) or spec.distillation is None:
        logits = outputs[0] if isinstance(outputs, tuple) else outputs
        return F.cross_entropy(logits.float(), labels)
    by_class, by_token = outputs
    alpha, tau = spec.distillation.alpha, spec.distillation.tau
    if spec.distillation.kind == "hard":
        taught = F.cross_entropy(by_token, teacher_logits.argmax(-1))
    else:
        soft = F.kl_div((by_token / tau).log_softmax(-1), (teacher_logits / tau).softmax(-1), reduction="batchmean")
        taught = tau**2 * soft
    return (1 - alpha) * F.cross_entropy(by_class, labels) + alpha * taught
