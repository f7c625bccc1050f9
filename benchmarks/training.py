"""Training a student and its teacher: images a second, against the tutorials' loop, timm's and vit-pytorch's tasks.

All have the mini-project's widths, batch, teacher and data, and train in turn in one process, step by step; medians of
steps leave out what is done once an epoch, which `end-to-end` has.
"""

import random
import statistics
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch

from benchmarks import peers
from benchmarks.loops import STEPS, Loop, bare_loop, make_step, normalizer, our_loop, train_batches
from benchmarks.timing import median_ratio, seconds_of
from deit_core import presets
from deit_core.data import ImageData, load_data
from deit_core.distillation import DistillationTeacher
from deit_core.models import build_student, build_teacher
from deit_core.settings import Settings
from deit_core.spec import ComputeSpec, RunSpec, replace
from deit_core.training.device import Plan, choose_device, place
from deit_core.training.probe import choose_plan
from deit_core.training.step import TrainStep
from deit_core.training.teacher_logits import TeacherLogits

_ROUNDS, _LONG_ROUNDS, _WARM_UP = 65, 205, 5  # steps of each loop
_DEVICE = choose_device(ComputeSpec())


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Images/s, and ratios to the tutorials' loop and to the bare step: students, hard and soft, and the teacher."""
    rounds = _LONG_ROUNDS if long else _ROUNDS
    specs = _specs()
    data = load_data(specs["deit"].data, Settings.from_env().data_dir)
    for kind in ("hard", "soft"):
        deit = replace(specs["deit"], {"distillation.kind": kind})
        with tempfile.TemporaryDirectory() as folder:
            yield from _rows(f"student, {kind}", _student_loops(deit, specs["teacher"], data, Path(folder)), rounds)
    with tempfile.TemporaryDirectory() as folder:
        yield from _rows("teacher", _teacher_loops(specs["teacher"], data, Path(folder)), rounds)


def _specs() -> dict[str, RunSpec]:
    experiment = presets.fashion_miniproject()
    small = replace(experiment, {f"{run.name}.data.fraction": 0.2 for run in experiment.runs})
    return {run.name: run for run in small.runs}


def _rows(what: str, loops: dict[str, Loop], rounds: int) -> Iterator[dict[str, object]]:
    """In each round each loop makes one step, so that the machine's moods hit all alike.

    The order is drawn again each time: a step is faster after one like itself.
    """
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(list(loops), len(loops)):
            speeds[name].append(_speed_of_step(loops[name]))
    speeds = {name: values[_WARM_UP:] for name, values in speeds.items()}
    for name, values in speeds.items():
        low, to_bare_step, high = median_ratio(values, speeds["bare step"])
        yield {
            "what": what,
            "loop": name,
            "images_per_s": round(statistics.median(values)),
            "to_tutorial": round(median_ratio(values, speeds["tutorial"])[1], 2),
            "to_bare_step": round(to_bare_step, 3),
            "interval_95": f"{low:.3f} to {high:.3f}",
        }


def _speed_of_step(loop: Loop) -> float:
    counts: list[int] = []
    seconds = seconds_of(lambda: counts.append(next(loop)))
    return counts[0] / seconds


def _student_loops(spec: RunSpec, teacher_spec: RunSpec, data: ImageData, folder: Path) -> dict[str, Loop]:
    """Every loop has a student and an optimiser of its own, and the same teacher."""
    torch.manual_seed(0)
    cnn = place(build_teacher(teacher_spec).eval(), _DEVICE)
    normalize = normalizer(data, _DEVICE)

    def teacher() -> DistillationTeacher:
        return DistillationTeacher(cnn, data.mean, data.std, teacher_spec.data.img_size)

    plan = _choose(make_step(spec, build_student(spec), teacher(), data, _DEVICE), data, folder)

    def ours(plan: Plan, *, stored: bool = True) -> Loop:
        logits = TeacherLogits(teacher(), teacher_spec.model, _DEVICE, "float32" if stored else "off")
        if stored:
            logits.open_table(folder, spec, data, cap_gb=1.0)
            for batch in islice(train_batches(spec, data, _DEVICE).epoch(0), STEPS):
                logits(batch.pixels, batch.rows)
        return our_loop(make_step(spec, build_student(spec), logits, data, _DEVICE), data, _DEVICE, plan)

    return {
        "tutorial": peers.tutorial_student(spec, cnn, data, _DEVICE),
        "timm": peers.timm_student(spec, cnn, normalize, data, _DEVICE),
        "vit-pytorch": peers.vit_pytorch_student(spec, cnn, normalize, data, _DEVICE),
        "deit_core, teacher asked": ours(plan, stored=False),
        "deit_core, float32": ours(Plan()),
        f"deit_core, {plan}": ours(plan),
        "bare step": bare_loop(spec, build_student(spec), data, _DEVICE, plan),
    }


def _teacher_loops(spec: RunSpec, data: ImageData, folder: Path) -> dict[str, Loop]:
    torch.manual_seed(0)
    step = make_step(spec, build_teacher(spec), None, data, _DEVICE)
    plan = _choose(step, data, folder)
    return {
        "tutorial": peers.tutorial_teacher(spec, build_teacher(spec), data, _DEVICE),
        f"deit_core, {plan}": our_loop(step, data, _DEVICE, plan),
        "bare step": bare_loop(spec, build_teacher(spec), data, _DEVICE, plan),
    }


def _choose(step: TrainStep, data: ImageData, folder: Path) -> Plan:
    """How the runs of this project would compute; eager, as runs this short are."""
    batch = next(train_batches(step.spec, data, _DEVICE).epoch(0))
    return choose_plan(step, batch.pixels, batch.labels, folder / "plans", num_steps=1)
