"""What it costs to measure heads and tokens in the validation pass, against an epoch of the same run.

The DeiT of `fashion-miniproject` on all of Fashion-MNIST: 54,000 training and 6,000 validation images. Both passes and
a step of training take turns in one process; the epoch is its steps and its validation pass.
"""

from collections.abc import Iterator
from itertools import cycle

import torch

from benchmarks.loops import make_step, normalizer, train_batches
from benchmarks.timing import medians
from deit_core import presets
from deit_core.data import load_data
from deit_core.distillation import DistillationTeacher
from deit_core.models import build_student, build_teacher
from deit_core.settings import Settings
from deit_core.spec import ComputeSpec
from deit_core.training.device import choose_device, place
from deit_core.training.evaluation import evaluate
from deit_core.training.head_measures import HeadMeasures

_DEVICE = choose_device(ComputeSpec())
_BUDGET_S, _LONG_BUDGET_S = 30.0, 120.0


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Milliseconds of both passes, and what the measuring adds as a share of an epoch's time."""
    specs = {run.name: run for run in presets.fashion_miniproject().runs}
    spec = specs["deit"]
    data = load_data(spec.data, Settings.from_env().data_dir)
    torch.manual_seed(0)
    model = place(build_student(spec), _DEVICE)
    teacher = DistillationTeacher(
        place(build_teacher(specs["teacher"]), _DEVICE), data.mean, data.std, spec.data.img_size
    )
    step, normalize = make_step(spec, model, teacher, data, _DEVICE), normalizer(data, _DEVICE)
    batches = train_batches(spec, data, _DEVICE)
    few = cycle([batch for batch, _ in zip(batches.epoch(0), range(8), strict=False)])
    decided = torch.randn(len(data.val), len(data.classes), device=_DEVICE)

    def train() -> None:
        batch = next(few)
        step(batch.pixels, batch.labels, 0)

    def plain() -> None:
        evaluate(model, data.val, normalize, _DEVICE, "val")

    def with_measures() -> None:
        measures = HeadMeasures(decided)
        evaluate(model, data.val, normalize, _DEVICE, "val", readers=[measures])
        measures.means()

    things = {"step": train, "plain": plain, "with measures": with_measures}
    seconds = medians(things, budget_s=_LONG_BUDGET_S if long else _BUDGET_S)
    epoch = batches.steps_per_epoch * seconds["step"] + seconds["plain"]
    yield {
        "what": "validation pass",
        "plain_ms": round(1000 * seconds["plain"]),
        "with_measures_ms": round(1000 * seconds["with measures"]),
        "ratio": round(seconds["with measures"] / seconds["plain"], 3),
        "epoch_s": round(epoch, 1),
        "added_share_of_epoch": f"{(seconds['with measures'] - seconds['plain']) / epoch:.3%}",
    }
