"""From the events of a training to what the store keeps of them: points, and the run's own columns.

Knows events and the writer; nothing of processes or of how a run ends.
"""

import logging
import time
from dataclasses import asdict, replace

from deit_core.events import CheckpointSaved, EpochDone, Event, Reading, RunFailed, RunFinished, RunStarted, StepDone
from deit_core.runs.meaning import point_of, results_after
from deit_core.runs.reconcile import Correction
from deit_core.runs.records import Run, RunUpdate
from deit_core.runs.store import Store
from deit_core.runs.writer import Writer
from deit_core.wording import computing, reading

log = logging.getLogger("deit_core.worker")


class Recorder:
    """Records one run. Close it before the run's status changes: then all of it is in the store."""

    def __init__(self, store: Store, run: Run) -> None:
        self.results: dict[str, float] = dict(run.results)
        self._writer = Writer(store, run.id, run.worker_id)
        self._started: RunStarted | None = None
        self._began_at = time.monotonic()

    def correct(self, correction: Correction) -> None:
        """Write what the store lacks, before the session's start is recorded. Raises: as `record` does."""
        self.results = dict(correction.results)
        if correction.points:
            self._writer.note("The store did not agree with the run's folder, and was corrected from it.")
        for point in correction.points:
            self._writer.put(RunUpdate(), point)

    def record(self, event: Event) -> None:
        """Take note of an event, without waiting for the store.

        Raises: the store's error, where it lasts longer than the patience with it.
        """
        match event:
            case Reading():
                self._writer.put(RunUpdate(message=reading(event)))
            case RunStarted():
                self._started, self._began_at = event, time.monotonic()
                self.results = results_after(event, self.results)
                log.info("started %s", asdict(event))
                for sentence in (computing(event), *event.notes):
                    self._writer.note(sentence)
                update = RunUpdate(total_steps=event.total_steps, message="", epoch=event.first_epoch)
                self._put(event, replace(update, step=event.first_step, results=dict(self.results)))
            case StepDone():
                self._put(event, RunUpdate(step=event.step, time_left_s=self._time_left_s(event.step)))
            case EpochDone():
                log.info("epoch %d %s", event.epoch, {name: round(value, 4) for name, value in event.metrics.items()})
                self.results = results_after(event, self.results)
                self._put(event, RunUpdate(step=event.step, epoch=event.epoch, results=dict(self.results)))
            case CheckpointSaved():
                log.info("saved step %d", event.step)
            case RunFinished():
                self.results = results_after(event, self.results)
            case RunFailed():
                pass

    def note(self, sentence: str) -> None:
        """Add a sentence to the run's history."""
        self._writer.note(sentence)

    def warn(self, sentence: str) -> None:
        """Set the message of the running run, and add it to its history; an empty one takes the message back."""
        if sentence:
            log.warning(sentence)
            self._writer.note(sentence)
        self._writer.put(RunUpdate(message=sentence))

    def close(self) -> None:
        """Return once everything is in the store. Raises: the store's error, where it cannot be."""
        self._writer.close()

    def _put(self, event: RunStarted | StepDone | EpochDone, update: RunUpdate) -> None:
        assert self._started is not None
        self._writer.put(update, point_of(event, self._started.steps_per_epoch))

    def _time_left_s(self, step: int) -> float:
        """From the pace of this session, validation and saving included."""
        assert self._started is not None
        done = step - self._started.first_step
        return (time.monotonic() - self._began_at) / done * (self._started.total_steps - step)
