"""Workers as tasks that a scheduler starts where and when it has room: what the engines of clusters have in common.

A scheduler decides where a worker works, never what it trains: runs are claimed in the store, and a run that is lost
with its node is queued again there. Knows the queue and which tasks are under way; no scheduler (see ray.py, slurm.py).
"""

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

from deit_core.errors import RunError
from deit_core.runs import queue
from deit_core.runs.engines import MAX_FAILED_STARTS, Engine
from deit_core.runs.store import Store, new_id
from deit_core.settings import Settings

MOST_WAITING = 100  # tasks of one kind; more of them are started as those end

Kind = TypeVar("Kind", bound=Hashable)  # of workers: what runs they take, and what they need for it
Handle = TypeVar("Handle")  # by which a scheduler knows a task


class End(NamedTuple):
    """How a task has ended: its worker was cut off, or `error` says why it could not start; else as it should.

    With both it could not start if it has not entered the store.
    """

    is_cut_off: bool = False
    error: str = ""


class TaskEngine(Engine, Generic[Kind, Handle]):
    """Starts a task for each run that is ready and that no worker on its way will take."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self._tasks: dict[str, tuple[Kind, Handle]] = {}  # by the id of the worker
        self._seen: set[str] = set()  # workers that have entered the store
        self._ended: set[str] = set()
        self._num_failed_starts = 0
        self._trouble = self._why_failed = ""

    @abstractmethod
    def _wanted(self) -> Mapping[Kind, int]:
        """How many runs each kind of workers finds ready, none where the engine is to start none. May set `_trouble`,
        and tells the runs that no kind takes."""

    @abstractmethod
    def _submit(self, kind: Kind, worker_id: str) -> Handle:
        """Give a worker to the scheduler. Raises: RunError where that refuses it."""

    @abstractmethod
    def _end_of(self, handle: Handle) -> End | None:
        """How a task has ended; None while it waits or works."""

    @abstractmethod
    def _cancel(self, handle: Handle) -> None:
        """Take back a task that waits for room."""

    def ensure_workers(self) -> None:
        self._collect()
        self._trouble = ""
        wanted = self._wanted()
        idle = self._seen & queue.registered(self.store) - queue.at_work(self.store)
        for kind, num_ready in wanted.items():
            coming = [worker_id for worker_id, task in self._tasks.items() if task[0] == kind]
            num_coming = sum(worker_id not in self._seen or worker_id in idle for worker_id in coming)
            for _ in range(num_ready - num_coming):
                if not self.trouble:
                    self._start(kind)

    @property
    def trouble(self) -> str:
        return self._trouble if self._num_failed_starts < MAX_FAILED_STARTS else self._why_failed

    def try_again(self) -> None:
        self._num_failed_starts = 0

    @property
    def ended(self) -> frozenset[str]:
        return frozenset(self._ended)

    def drain(self) -> bool:
        """Let each worker end with its run, and start no other. Returns whether none is left."""
        queue.reap(self.store, self.ended)
        self._collect()
        queue.drain(self.store, self._tasks.keys())
        self._cancel_waiting()
        return self._tasks.keys().isdisjoint(queue.registered(self.store))

    def leave(self) -> None:
        """Take back what waits for room, and what the store says of the engine."""
        self._cancel_waiting()

    def _start(self, kind: Kind) -> None:
        worker_id = new_id()
        try:
            self._tasks[worker_id] = (kind, self._submit(kind, worker_id))
        except RunError as error:
            self._num_failed_starts, self._why_failed = MAX_FAILED_STARTS, str(error)

    def _cancel_waiting(self) -> None:
        registered = queue.registered(self.store)
        for worker_id in self._tasks.keys() - self._seen - registered:
            self._cancel(self._tasks.pop(worker_id)[1])

    def _collect(self) -> None:
        """Forget tasks that have ended, remember those that were cut off, and count failed starts in sequence."""
        registered = queue.registered(self.store)
        self._seen |= self._tasks.keys() & registered
        for worker_id, (_, handle) in list(self._tasks.items()):
            if (end := self._end_of(handle)) is None:
                continue
            del self._tasks[worker_id]
            if end.is_cut_off and (worker_id in self._seen or not end.error):
                self._ended.add(worker_id)
            elif end.error:
                self._num_failed_starts += 1
                self._why_failed = end.error
            else:
                self._num_failed_starts = 0
        self._ended &= registered
        self._seen &= self._tasks.keys()
