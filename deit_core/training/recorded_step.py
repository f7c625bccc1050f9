"""A step that is recorded once, as a whole, and then repeated with one launch. Its numbers are those of the plain step,
to rounding; what is saved is the time of a small model's hundreds of launches.

What differs from step to step is in tensors that keep their place: the batch, the teacher's logits, and the number of
the step, by which learning rate and EMA decay are found in tables. Random numbers are seeded before each step, as for
a plain one. Knows a step and its sums; nothing of data, files or plans.

Source of the idea: CUDA graphs, pytorch.org/docs/stable/notes/cuda.html.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from deit_core.data.augment.mixup import Mix
from deit_core.data.batches import Batch
from deit_core.data.device_batches import DeviceBatches, PlannedBatch
from deit_core.training.ema import ema_decay
from deit_core.training.measures import Sums
from deit_core.training.memory import is_out_of_memory
from deit_core.training.step import TrainStep
from deit_core.training.teacher_logits import TeacherLogits

_PLAIN_STEPS = 2  # of each kind before it is recorded: libraries choose algorithms, and the optimiser makes its state

log = logging.getLogger("deit_core.worker")

Body = Callable[[], None]
Stepper = Callable[[Batch | PlannedBatch, int], None]  # makes a step, counted from 0, on a batch


class Recorder(Protocol):
    """Records what a body does on the device; a fake one may call the body again."""

    def run(self, body: Body) -> None:
        """Run a body that will be recorded later."""
        ...

    def record(self, body: Body) -> Body:
        """Record the body, and return what repeats it. This does not run it. Raises: RuntimeError where it cannot."""
        ...


class GraphRecorder:
    """Records CUDA graphs. They share their memory, since one runs at a time and none reads what another left there."""

    def __init__(self, device: torch.device) -> None:
        self._stream, self._pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()

    def run(self, body: Body) -> None:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            body()
        torch.cuda.current_stream().wait_stream(self._stream)

    def record(self, body: Body) -> Body:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            body()
        repeat: Body = graph.replay
        return repeat


@dataclass
class _Inputs:
    """A batch, and the teacher's logits where they come from a table, in tensors that keep their place."""

    pixels: Tensor
    labels: Tensor
    mix: Mix | None
    teacher_logits: Tensor | None

    @classmethod
    def like(cls, batch: Batch, logits: Tensor | None) -> "_Inputs":
        pixels, labels = torch.empty_like(batch.pixels), torch.empty_like(batch.labels)
        mix = Mix(torch.empty_like(labels), torch.zeros((), device=labels.device)) if batch.mix else None
        return cls(pixels, labels, mix, None if logits is None else torch.empty_like(logits))

    def take(self, batch: Batch, logits: Tensor | None) -> None:
        self.pixels.copy_(batch.pixels)
        self.labels.copy_(batch.labels)
        if self.mix is not None and batch.mix is not None:
            assert isinstance(self.mix.share, Tensor)
            self.mix.others.copy_(batch.mix.others)
            self.mix.share.fill_(batch.mix.share)
        if self.teacher_logits is not None and logits is not None:
            self.teacher_logits.copy_(logits)


class RecordedStep:
    """Makes the steps of a run in any order, and adds what they measure to its sums.

    One recording is made for each kind of batch: images mixed or not. Where that is not possible, the steps are made
    plainly from then on, and the worker's log says why.

    Args:
        num_steps: of the run.
        batches: make the planned batches, within the recording.
        recorder: by default CUDA graphs on the model's device.
    """

    def __init__(
        self,
        step: TrainStep,
        sums: Sums,
        num_steps: int,
        batches: DeviceBatches | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._step, self._sums, self._batches = step, sums, batches
        device = next(step.model.parameters()).device
        self._recorder = GraphRecorder(device) if recorder is None else recorder

        def table(value_of: Callable[[int], float]) -> Tensor:
            return torch.tensor([value_of(number) for number in range(num_steps)], device=device)

        self._rates = table(step.learning_rate)
        self._decays = None if step.ema is None else table(lambda number: ema_decay(number, step.spec.optim))
        self._number, self._next = torch.zeros(1, dtype=torch.int64, device=device), 0
        for group in step.optimizer.param_groups:
            group["lr"] = torch.zeros((), device=device)
        self._inputs: dict[object, _Inputs] = {}
        self._num_plain: dict[object, int] = {}
        self._repeats: dict[object, Body] = {}

    def __call__(self, batch: Batch | PlannedBatch, number: int) -> None:
        kind, make = self._planned(batch) if isinstance(batch, PlannedBatch) else self._ready(batch)
        if number != self._next:
            self._number.fill_(number)
        self._next = number + 1
        if kind not in self._repeats and self._num_plain.get(kind, 0) == _PLAIN_STEPS:
            self._repeats[kind] = self._record(make)
        self._step.seed(number)
        if kind in self._repeats:
            self._repeats[kind]()
        else:
            self._num_plain[kind] = self._num_plain.get(kind, 0) + 1
            self._recorder.run(make)

    def _ready(self, batch: Batch) -> tuple[object, Body]:
        """The kind of a batch that was made, and its step; the batch is copied to where the step reads it."""
        teacher = self._step.teacher
        logits = None
        if isinstance(teacher, TeacherLogits) and teacher.has_table:
            logits = self._step.ask_teacher(batch.pixels, batch.rows)
        kind = batch.pixels.shape, batch.mix is None, logits is None
        if kind not in self._inputs:
            self._inputs[kind] = _Inputs.like(batch, logits)
        inputs = self._inputs[kind]
        inputs.take(batch, logits)
        return kind, lambda: self._make(inputs)

    def _planned(self, batch: PlannedBatch) -> tuple[object, Body]:
        """The kind of a batch that is to be made, and its step, which makes the batch first."""

        def make() -> None:
            assert self._batches is not None
            place = self._number % self._step.steps_per_epoch
            self._make(_Inputs(*self._batches.make(place, is_mixed=batch.is_mixed), None))

        return batch, make

    def _make(self, inputs: _Inputs) -> None:
        """The whole step, from what its tensors hold."""
        step = self._step
        rate = self._rates.index_select(0, self._number)[0]
        for group in step.optimizer.param_groups:
            torch.mul(rate, group.get("lr_scale", 1.0), out=group["lr"])
        logits = step.ask_teacher(inputs.pixels) if inputs.teacher_logits is None else inputs.teacher_logits
        measured = step.learn(inputs.pixels, inputs.labels, logits, inputs.mix)
        if step.ema is not None and self._decays is not None:
            step.ema.update(step.model, self._decays.index_select(0, self._number)[0])
        self._sums.add(measured)
        self._number += 1

    def _record(self, body: Body) -> Body:
        self._step.optimizer.zero_grad(set_to_none=True)  # so that gradients are in the recording's own memory
        try:
            with _capturable(self._step.optimizer.param_groups):
                return self._recorder.record(body)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            log.warning("the step cannot be recorded, so it is made plainly: %s", str(error).partition("\n")[0])
            return lambda: self._recorder.run(body)


@contextmanager
def _capturable(groups: list[dict[str, Any]]) -> Iterator[None]:
    """torch's optimisers want this said for a recording, and warn of it at any other time."""
    own = [group for group in groups if "capturable" in group]
    for group in own:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in own:
            group["capturable"] = False


def is_recorded(step: TrainStep) -> bool:
    """Whether the plan of a step is to record it, and its device can."""
    return step.plan.recorded and next(step.model.parameters()).device.type == "cuda"


def make_stepper(step: TrainStep, sums: Sums, num_steps: int, batches: DeviceBatches | None = None) -> Stepper:
    """How the steps of a run are made by its plan: recorded where the plan says so and the device can, else plainly.

    Args: batches: make the planned batches of a run whose steps are recorded.
    """
    if is_recorded(step):
        return RecordedStep(step, sums, num_steps, batches)

    def make(batch: Batch | PlannedBatch, number: int) -> None:
        assert isinstance(batch, Batch)
        sums.add(step(batch.pixels, batch.labels, number, batch.rows, batch.mix))

    return make
