"""A recorded step, with a recorder that calls the body again: the numbers are those of plain steps."""

import logging
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.gpu.right import AgainRecorder
from benchmarks.loops import batches_again, make_step, train_batches
from deit_core.data import load_data
from deit_core.data.device_batches import DeviceBatches
from deit_core.distillation import DistillationTeacher
from deit_core.models import build_model
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training.measures import Sums
from deit_core.training.recorded_step import RecordedStep, Stepper, make_stepper
from deit_core.training.step import TrainStep
from deit_core.training.teacher_logits import TeacherLogits

CPU = torch.device("cpu")
NUM_STEPS = 9
CHANGES: dict[str, dict[str, object]] = {
    "AdamW": {},
    "SGD": {"optim.optimizer": "sgd"},
    "Muon": {"optim.optimizer": "muon"},
    "layer decay": {"optim.layer_decay": 0.7},
    "EMA": {"optim.ema": "separate", "optim.ema_decay": 0.9, "optim.clip_grad": 0.5},
    "mixup and CutMix": {"augment.mixup_alpha": 0.8, "augment.cutmix_alpha": 1.0, "augment.mixup_prob": 0.5},
    "dropout": {"model.drop_rate": 0.2, "model.drop_path_rate": 0.2},
}


class CountingRecorder(AgainRecorder):
    """Counts what is run plainly and what is recorded."""

    def __init__(self) -> None:
        self.num_plain = self.num_recordings = 0

    def run(self, body: Callable[[], None]) -> None:
        self.num_plain += 1
        super().run(body)

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        self.num_recordings += 1
        return super().record(body)


class NoRecorder(AgainRecorder):
    def __init__(self, error: RuntimeError) -> None:
        self.error = error

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        raise self.error


def make(spec: RunSpec, teacher: torch.nn.Module | None = None) -> TrainStep:
    torch.manual_seed(0)
    return make_step(spec, build_model(spec), teacher, load_data(spec.data, Path("data")), CPU)


def weights(step: TrainStep) -> dict[str, Tensor]:
    tensors = {f"model {name}": tensor for name, tensor in step.model.state_dict().items()}
    if step.average is not None:
        tensors |= {f"EMA {name}": tensor for name, tensor in step.average.state_dict().items()}
    return tensors


def go(step: TrainStep, stepper: Stepper, start: int = 0, stop: int = NUM_STEPS) -> None:
    batches = batches_again(step.spec, load_data(step.spec.data, Path("data")), CPU)
    for number, batch in enumerate(islice(batches, stop)):
        if number >= start:
            stepper(batch, number)


def distance(some: dict[str, Tensor], others: dict[str, Tensor]) -> float:
    """Of all weights, relative to their norm. Biases are left out: those of the keys have no gradient but rounding,
    which Adam makes as large as any.
    """
    one, other = (
        torch.cat([t.flatten() for name, t in tensors.items() if not name.endswith("bias")])
        for tensors in (some, others)
    )
    return float((one - other).norm() / other.norm())


def compare(spec: RunSpec, make_teacher: Callable[[], torch.nn.Module | None] = lambda: None) -> CountingRecorder:
    plain, recorded = (make(spec, make_teacher()) for _ in range(2))
    plain_sums, sums, recorder = Sums({}), Sums({}), CountingRecorder()
    go(plain, make_stepper(plain, plain_sums, NUM_STEPS))
    go(recorded, RecordedStep(recorded, sums, NUM_STEPS, recorder=recorder))
    assert distance(weights(recorded), weights(plain)) < 1e-5
    assert sums.take_group()[0] == pytest.approx(plain_sums.take_group()[0], rel=1e-4)
    return recorder


@pytest.mark.parametrize("change", CHANGES)
def test_it_computes_what_a_plain_step_does(change: str, tiny: RunSpec) -> None:
    recorder = compare(replace(tiny, CHANGES[change]))
    kinds = 2 if "mixup" in change else 1
    assert (recorder.num_plain, recorder.num_recordings) == (2 * kinds, kinds)


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("from_table", [False, True])
def test_a_teacher_is_asked_in_the_recording_or_read_from_its_table(
    kind: str, from_table: bool, tiny_trio: ExperimentSpec, tmp_path: Path
) -> None:
    teacher_spec, _, spec = tiny_trio.runs
    spec = replace(spec, {"distillation.kind": kind})
    data = load_data(spec.data, Path("data"))
    torch.manual_seed(1)
    network = build_model(teacher_spec).eval()

    def make_teacher() -> torch.nn.Module:
        teacher = DistillationTeacher(network, data.mean, data.std, spec.data.img_size)
        if not from_table:
            return teacher
        logits = TeacherLogits(teacher, teacher_spec.model, CPU)
        logits.open_table(tmp_path, spec, data, cap_gb=1.0)
        return logits

    assert compare(spec, make_teacher).num_recordings == 1


@pytest.mark.parametrize("change", ["AdamW", "mixup and CutMix"])
def test_a_batch_can_be_made_in_the_recording(change: str, tiny: RunSpec) -> None:
    """Over four epochs of two batches each."""
    spec = replace(tiny, {**CHANGES[change], "optim.batch_size": 384})
    plain, recorded = make(spec), make(spec)
    plain_sums, sums, recorder = Sums({}), Sums({}), CountingRecorder()
    data = load_data(spec.data, Path("data"))
    batches = train_batches(spec, data, CPU)
    planned = DeviceBatches(train_batches(spec, data, CPU))
    stepper = RecordedStep(recorded, sums, NUM_STEPS, planned, recorder)
    make_plainly = make_stepper(plain, plain_sums, NUM_STEPS)
    assert batches.steps_per_epoch == plain.steps_per_epoch == 2
    number = 0
    for epoch in range(4):
        for batch, plan in zip(batches.epoch(epoch), planned.epoch(epoch), strict=True):
            make_plainly(batch, number)
            stepper(plan, number)
            number += 1
    assert distance(weights(recorded), weights(plain)) < 1e-5
    assert sums.take_group()[0] == pytest.approx(plain_sums.take_group()[0], rel=1e-4)
    assert recorder.num_recordings == (2 if "mixup" in change else 1)


def test_a_resumed_run_goes_on_at_its_step(tiny: RunSpec) -> None:
    """Rates and decays are those of the number of the step, whichever came before."""
    spec = replace(tiny, CHANGES["EMA"])
    whole, parts = make(spec), make(spec)
    go(whole, RecordedStep(whole, Sums({}), NUM_STEPS, recorder=AgainRecorder()))
    go(parts, RecordedStep(parts, Sums({}), NUM_STEPS, recorder=AgainRecorder()), stop=4)
    go(parts, RecordedStep(parts, Sums({}), NUM_STEPS, recorder=AgainRecorder()), start=4)
    expected = weights(whole)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(parts).items())


def test_what_cannot_be_recorded_is_made_plainly(tiny: RunSpec, caplog: pytest.LogCaptureFixture) -> None:
    plain, other = make(tiny), make(tiny)
    go(plain, RecordedStep(plain, Sums({}), NUM_STEPS, recorder=AgainRecorder()))
    with caplog.at_level(logging.WARNING):
        go(
            other,
            RecordedStep(other, Sums({}), NUM_STEPS, recorder=NoRecorder(RuntimeError("no such operation\nat all"))),
        )
    assert [record.message for record in caplog.records] == [
        "the step cannot be recorded, so it is made plainly: no such operation"
    ]
    expected = weights(plain)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(other).items())


def test_no_memory_for_a_recording_is_no_reason_to_go_on(tiny: RunSpec) -> None:
    step = make(tiny)
    with pytest.raises(RuntimeError, match="out of memory"):
        go(step, RecordedStep(step, Sums({}), NUM_STEPS, recorder=NoRecorder(RuntimeError("CUDA out of memory"))))
