"""Runs whose losses are those of the whole batch, however it is shared."""

from pathlib import Path

from deit_core.events import EpochDone, RunFinished, StepDone
from deit_core.spec import RunSpec, replace
from deit_core.training import train

TOLERANCE = 2e-6  # of a loss, relative: the parts are added in another order


def without_dropout(spec: RunSpec, **changes: object) -> RunSpec:
    """Five steps in each of two epochs."""
    quick = {"data.fraction": 0.3, "model.drop_rate": 0.0, "model.attn_drop_rate": 0.0, "optim.epochs": 2}
    return replace(spec, {**quick, "optim.warmup_epochs": 0.5, **changes})


def numbers(spec: RunSpec, folder: Path) -> list[dict[str, float]]:
    """All that a run measures, step by step, but for its speed."""
    events = train(spec, run_dir=folder, runs_dir=folder.parent, group_s=0, num_threads=1)
    measured = [event.metrics for event in events if isinstance(event, StepDone | EpochDone | RunFinished)]
    others = {"images_per_s", "teacher_hit_rate"}  # the second run finds the logits that the first one stored
    return [{name: value for name, value in one.items() if name not in others} for one in measured]
