"""What the events of a training are in the store: points, and results of the run. Plain data; writes nothing."""

from collections.abc import Mapping

from deit_core.events import EpochDone, RunFinished, RunStarted, StepDone
from deit_core.metrics import (
    BEST_EPOCH,
    BEST_VAL_ACCURACY,
    NUM_PARAMS,
    NUM_TEST,
    NUM_TRAIN,
    NUM_VAL,
    TRAIN_TIME_S,
    VAL_ACCURACY,
)
from deit_core.run_files.curve_file import CurveEvent
from deit_core.runs.records import NewPoint


def point_of(event: RunStarted | StepDone | EpochDone, steps_per_epoch: int) -> NewPoint:
    match event:
        case RunStarted():
            return start_at(event.first_step, steps_per_epoch)
        case StepDone():
            return NewPoint("step", event.step, event.step / steps_per_epoch, event.elapsed_s, event.metrics)
        case EpochDone():
            return NewPoint("epoch", event.step, event.step / steps_per_epoch, event.elapsed_s, event.metrics)


def start_at(step: int, steps_per_epoch: int) -> NewPoint:
    """A session that continues after `step`; what was measured after it before does not count."""
    return NewPoint("start", step, step / steps_per_epoch, 0.0, {})


def results_after(event: CurveEvent, results: Mapping[str, float]) -> dict[str, float]:
    """The results of a run after an event."""
    match event:
        case RunStarted():
            sizes = {name: getattr(event, name) for name in (NUM_PARAMS, NUM_TRAIN, NUM_VAL, NUM_TEST)}
            return {**results, **sizes}
        case EpochDone(is_best=True):
            best = {BEST_EPOCH: event.epoch, BEST_VAL_ACCURACY: event.metrics[VAL_ACCURACY]}
            return {**results, **event.metrics, **best}
        case EpochDone():
            return {**results, **event.metrics}
        case RunFinished():
            return {**results, **event.metrics, BEST_EPOCH: event.best_epoch, TRAIN_TIME_S: event.elapsed_s}
        case _:
            return dict(results)
