"""From the events of a training to what the store keeps of them: points, and the run's own columns.

Knows events and the writer; nothing of processes or of how a run ends.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace

from deit_core.events import CheckpointSaved, EpochDone, Event, Reading, RunFailed, RunFinished, RunStarted, StepDone
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
from deit_core.runs.records import NewPoint, PointKind, Run, RunUpdate
from deit_core.runs.store import Store
from deit_core.runs.writer import Writer
from deit_core.wording import computing, reading

log = logging.getLogger("deit_core.worker")


class Recorder:
    """Records one run. Close it before the run's status changes: then all of it is in the store."""

    def __init__(self, store: Store, run: Run) -> None:
        self.results: dict[str, float] = dict(run.results)
        self._writer = Writer(store, run.id)
        self._started: RunStarted | None = None
        self._began_at = time.monotonic()

    def record(self, event: Event) -> None:
        """Take note of an event, without waiting for the store.

        Raises: the store's error, where it lasts longer than the patience with it.
        """
        match event:
            case Reading():
                self._writer.put(RunUpdate(message=reading(event)))
            case RunStarted():
                self._started, self._began_at = event, time.monotonic()
                self.results |= {name: getattr(event, name) for name in (NUM_PARAMS, NUM_TRAIN, NUM_VAL, NUM_TEST)}
                log.info("started %s", asdict(event))
                for sentence in (computing(event), *event.notes):
                    self._writer.note(sentence)
                self._put("start", event.first_step, 0.0, {}, RunUpdate(total_steps=event.total_steps, message=""))
            case StepDone():
                update = RunUpdate(time_left_s=self._time_left_s(event.step))
                self._put("step", event.step, event.elapsed_s, event.metrics, update)
            case EpochDone():
                log.info("epoch %d %s", event.epoch, {name: round(value, 4) for name, value in event.metrics.items()})
                self.results |= event.metrics | ({BEST_EPOCH: event.epoch} if event.is_best else {})
                if event.is_best:
                    self.results[BEST_VAL_ACCURACY] = event.metrics[VAL_ACCURACY]
                results = dict(self.results)  # as they are now; the thread writes them later
                update = RunUpdate(epoch=event.epoch, results=results)
                self._put("epoch", event.step, event.elapsed_s, event.metrics, update)
            case CheckpointSaved():
                log.info("saved step %d", event.step)
            case RunFinished():
                self.results |= event.metrics | {BEST_EPOCH: event.best_epoch, TRAIN_TIME_S: event.elapsed_s}
            case RunFailed():
                pass

    def close(self) -> None:
        """Return once everything is in the store. Raises: the store's error, where it cannot be."""
        self._writer.close()

    def _put(
        self, kind: PointKind, step: int, elapsed_s: float, metrics: Mapping[str, float], update: RunUpdate
    ) -> None:
        assert self._started is not None
        point = NewPoint(kind, step, step / self._started.steps_per_epoch, elapsed_s, metrics)
        self._writer.put(replace(update, step=step), point)

    def _time_left_s(self, step: int) -> float:
        """From the pace of this session, validation and saving included."""
        assert self._started is not None
        done = step - self._started.first_step
        return (time.monotonic() - self._began_at) / done * (self._started.total_steps - step)
