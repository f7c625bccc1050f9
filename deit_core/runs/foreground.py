"""Trains in this process, for a command: with the same worker, store and folders as in the background."""

import signal
import sys
from types import FrameType

from deit_core.errors import DeitError, RunError
from deit_core.memory import check_granted
from deit_core.runs import queue
from deit_core.runs.launcher import enqueue, resolve
from deit_core.runs.records import Run
from deit_core.runs.store import Store
from deit_core.runs.worker import Watcher, Worker
from deit_core.settings import Settings
from deit_core.spec import AnySpec


def train_here(
    store: Store, settings: Settings, spec: AnySpec, watch: Watcher, *, key: str | None = None
) -> tuple[list[Run], DeitError | None]:
    """Train a run or an experiment to its end, or until Ctrl-C, which stops it after the step and saves it.

    Args: key: a name for this training; with the same one again its unfinished runs are resumed.
    Returns: its runs as they ended, in the order of the experiment, and the first error that the user can fix. If the
        store was removed or replaced meanwhile there are no runs.
    Raises: ResourceError where a run needs more memory than this machine grants; SpecError as `enqueue` does.
    """
    check_granted(spec, settings.runs_dir)
    resolve(store, spec)  # what is refused leaves no store behind
    queue.reap(store)
    entry = queue.register(store, num_slots=None)
    assert entry is not None, "a foreground worker needs no slot"
    worker = Worker(store, settings, *entry, watch=watch)
    try:
        run_ids = enqueue(store, spec, reserved_for=worker.worker_id, key=key)
        for run in store.runs(run_ids)[::-1]:
            if run.status.can_resume:
                store.resume(run.id, reserved_for=worker.worker_id)
    except BaseException:
        queue.leave(store, worker.worker_id)
        raise

    def end(number: int, _frame: FrameType | None) -> None:
        print("Stopping after this step; press Ctrl-C again to abort at once.", file=sys.stderr)
        worker.end()
        signal.signal(number, signal.default_int_handler)

    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        worker.work()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    runs = store.runs(run_ids)[::-1]
    return runs, worker.mistake or (None if runs else RunError(store.database.gone()))
