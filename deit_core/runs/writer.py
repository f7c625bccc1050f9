"""Points on their way into the store: a thread writes them, so that whoever measures never waits for a disk.

Knows the store; nothing of events or of training.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from deit_core.errors import FullStoreError, StoreError
from deit_core.runs.records import NewPoint, RunUpdate
from deit_core.runs.store import Store

PATIENCE_S = 120.0  # for how long a store may not answer before a run ends
FULL_PATIENCE_S = 3.0  # for how long its disk may be full when the run has ended
RETRY_S = 1.0
PAUSE_S = 0.1  # between two transactions; what is measured meanwhile goes into one

log = logging.getLogger("deit_core.worker")

Result = TypeVar("Result")


class Writer:
    """Writes the points of one run, in order and many at a time. Nothing is lost in silence: see `put` and `close`.

    Args: worker_id: the worker that trains the run; see `Store.add_points`.
    """

    def __init__(self, store: Store, run_id: str, worker_id: str | None = None) -> None:
        self._store, self._run_id, self._worker_id = store, run_id, worker_id
        self._changed = threading.Condition()
        self._points: list[NewPoint] = []
        self._notes: list[str] = []
        self._update = RunUpdate()
        self._is_closing = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def put(self, update: RunUpdate, point: NewPoint | None = None) -> None:
        """Take the run's newest columns, and a point if there is one; they are in the store a moment later, together.

        Raises: the store's error, where it lasts longer than the patience with it; then the run must end.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            if point is not None:
                self._points.append(point)
            self._update = self._update.followed_by(update)
            self._changed.notify()

    def note(self, sentence: str) -> None:
        """Take a sentence for the log of the run; it is in the store no later than what is put next."""
        with self._changed:
            self._notes.append(sentence)

    def close(self) -> None:
        """Return once everything is in the store.

        Raises: the store's error, where it cannot be.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while self._write_waiting():
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closing, PAUSE_S)
        except Exception as error:
            self._error = error

    def _write_waiting(self) -> bool:
        """Wait for something to write and write it all; False when no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._points or self._update.columns or self._is_closing)
            points, self._points = self._points, []
            notes, self._notes = self._notes, []
            update, self._update = self._update, RunUpdate()
        if not points and not update.columns:
            return False
        patiently(
            lambda: self._store.add_points(self._run_id, points, update, notes, worker_id=self._worker_id),
            is_ending=lambda: self._is_closing,
        )
        return True


def patiently(call: Callable[[], Result], *, is_ending: Callable[[], bool] = lambda: True) -> Result:
    """Ask the store again while it does not answer, so that a busy disk does not cost a run.

    Args: is_ending: whether the run has ended. Nobody waits for long for room on a full disk then: a process that ends
        is seen to have ended, and one that waits would leave its run running.
    """
    began = time.monotonic()
    while True:
        try:
            return call()
        except StoreError as error:
            is_hopeless = isinstance(error, FullStoreError) and is_ending()
            if time.monotonic() - began > (FULL_PATIENCE_S if is_hopeless else PATIENCE_S):
                raise
            log.warning("trying again: %s", error)
            time.sleep(RETRY_S)
