"""A worker of the background in this process: what `python -m deit_core.runs.worker` does once it is registered."""

from deit_core.events import Event, StepDone
from deit_core.runs import Run, Store, queue
from deit_core.runs.worker import Mode, Watcher, Worker
from deit_core.settings import Settings


def worker_here(store: Store, settings: Settings, watch: Watcher | None = None) -> Worker:
    """A worker with a place in the store; its `work` returns once no run is ready."""
    entry = queue.register(store, settings.num_workers)
    assert entry is not None, "another worker has the place"
    return Worker(store, settings, *entry, mode=Mode.BACKGROUND, watch=watch)


def stop_at(store: Store, step: int) -> Watcher:
    """Ask for a stop as a page does, once a run is so far."""

    def stop(run: Run, event: Event) -> None:
        if isinstance(event, StepDone) and event.step >= step and run.id not in asked:
            asked.add(run.id)
            store.stop(run.id)

    asked: set[str] = set()
    return stop
