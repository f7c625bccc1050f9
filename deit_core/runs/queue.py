"""The queue: who trains what. No daemon: workers register here, claim runs, and say that they are alive.

Every decision is one transaction, so it does not matter who makes it, or that several try at once. Knows nothing of how
a worker is started (see launcher.py), or of how one is seen to be gone (see pulse.py).
"""

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from sqlalchemy import Connection, Row, Select, delete, exists, false, func, insert, or_, select, true, update

from deit_core.errors import FullStoreError, ReadOnlyStoreError
from deit_core.machine.own_limit import remove_group
from deit_core.runs import pulse, schema
from deit_core.runs.records import Run, RunUpdate, Status
from deit_core.runs.store import Store, new_id
from deit_core.runs.wants import ALL, ANY_ENGINE, COLUMNS, Takes, Wants

HEARTBEAT_S = 2.0
WAITS = "It waits for "  # how all sentences of `tell_waiting` begin
_OUT_OF_MEMORY = (
    "Out of memory: the system ended its worker, which had taken all the memory that there was. Start again with a "
    "larger compute.gradient_accumulation_steps, or a smaller data.img_size or model, or resume where there is more "
    "memory: it continues from the last saved state."
)

_MOST_LOSSES = 3  # of a run since a person queued it: it may be what ends the nodes
_UNFINISHED = [status for status in Status if status != Status.COMPLETED]  # listed, so that the index on status serves
_runs, _workers = schema.runs, schema.workers


def register(
    store: Store,
    num_slots: int | None,
    worker_id: str | None = None,
    *,
    node_id: str | None = None,
    takes: Takes = ALL,
) -> tuple[str, int | None] | None:
    """Enter this process as a worker of this machine: (worker id, slot), or None when all slots are taken.

    Args:
        num_slots: how many workers this machine may have; None enters one beside them, as a foreground command is.
        worker_id: the name that the starter of the process has given it.
        node_id: the node of a cluster that it works on. A run that is lost with it is queued again.
        takes: which runs it takes.
    """
    host, worker_id = socket.gethostname(), worker_id or new_id()
    with store.writing(anew=True) as connection:
        taken = set(connection.scalars(select(_workers.c.slot).where(_workers.c.host == host)))
        slot = None
        if num_slots is not None:
            free = [number for number in range(num_slots) if number not in taken]
            if not free:
                return None
            slot = free[0]
        connection.execute(
            insert(_workers).values(
                id=worker_id,
                host=host,
                pid=os.getpid(),
                process_started_at=psutil.Process().create_time(),
                slot=slot,
                heartbeat_at=store.now(),
                node_id=node_id,
                **takes.columns(),
            )
        )
        pulse.begin(connection, store, worker_id)
    return worker_id, slot


def heartbeat(store: Store, worker_id: str) -> bool:
    """Say that this worker is alive. False when the store has given it up meanwhile."""
    with store.writing(alone=False, is_news=False) as connection:
        return pulse.beat(connection, store, worker_id)


def claim(store: Store, worker_id: str, *, reserved_only: bool = False) -> Run | None:
    """Take the next ready run: the oldest queued one whose teacher is completed.

    None when there is none, or this worker takes no other: it drains, was taken for dead, or is of the file that was
    there before.

    Args: reserved_only: take only runs that were reserved for this worker.
    """
    with store.writing(alone=False) as connection:
        worker = _taking(connection, worker_id, lock=True)
        if worker is None:
            return None
        next_ready = (
            _ready(worker_id, reserved_only, Takes.of_worker(worker))
            .limit(1)
            .with_for_update(of=_runs, skip_locked=True)
        )
        while (run_id := connection.scalar(next_ready)) is not None:
            is_next = _runs.c.id == run_id
            _, unreadable = store.read(connection, is_next)
            if not unreadable:
                store.move(connection, run_id, Status.RUNNING, update=RunUpdate(worker_id=worker_id))
                return store.read(connection, is_next)[0][0]
            message = f"It cannot be trained: {unreadable[0].reason}; delete it and submit it again."
            store.move(connection, run_id, Status.FAILED, message)
    return None


def retire(store: Store, worker_id: str) -> bool:
    """Leave the queue, unless a run has become ready meanwhile: then False, and the worker should claim again."""
    with store.writing() as connection:
        worker = _taking(connection, worker_id)
        if worker is not None:
            ready = _ready(worker_id, reserved_only=False, takes=Takes.of_worker(worker)).limit(1)
            if connection.scalar(ready) is not None:
                return False
        connection.execute(delete(_workers).where(_workers.c.id == worker_id))
    return True


def leave(store: Store, worker_id: str, reason: str = "Its worker was cut off") -> None:
    """Leave the queue whatever is ready; runs that were reserved for this worker stop, one it had begun is cut off.

    In a cluster such a run is queued again. Args: reason: why it was cut off, a sentence without its full stop.
    """
    with store.writing() as connection:
        _release(connection, store, worker_id, Status.STOPPED, "Stopped before it began; resume to queue it again.")
        if connection.scalar(select(_workers.c.node_id).where(_workers.c.id == worker_id)) is not None:
            _queue_lost(connection, store, worker_id, reason)
        connection.execute(delete(_workers).where(_workers.c.id == worker_id))
        _end_orphans(connection, store, "Its worker was cut off. Resume goes on from the last saved state.")


def drain(store: Store, worker_ids: Collection[str]) -> None:
    """Let workers end with the run that they train now."""
    with store.writing() as connection:
        connection.execute(update(_workers).where(_workers.c.id.in_(worker_ids)).values(is_draining=1))


def reap(store: Store, broke_off: Collection[str] = ()) -> list[str]:
    """Find workers that are gone; their runs become interrupted, or failed where memory ran out.

    A run that was lost with a node of a cluster is queued again, some times. Where the store can only be read, runs
    read interrupted in this process until they can be written.

    Args: broke_off: ids of workers that an engine calls dead. One with a fresh heartbeat is alive all the same.
    Returns: the ids of these runs.
    """
    with store.reading() as connection:
        gone = [
            worker
            for worker in connection.execute(pulse.workers(store))
            if pulse.is_gone(worker, store)
            or (worker.id in broke_off and pulse.age_s(worker, store) > pulse.SILENT_AFTER_S)
        ]
    ended: list[str] = []
    for worker in gone:
        who = f"Its worker (process {worker.pid} on {worker.host}) is gone"
        try:
            ended += _forget(store, worker, who)
        except FullStoreError:
            store.lost_workers[worker.id] = (
                f"{who}, and the disk with the store is full. Delete runs or other files, then resume: it goes on from "
                "the last saved state."
            )
        except ReadOnlyStoreError:
            store.lost_workers[worker.id] = f"{who}, and the store can only be read here."
    return ended


def _forget(store: Store, worker: Row[Any], who: str) -> list[str]:
    is_out_of_memory = pulse.ran_out_of_memory(worker)
    with store.writing() as connection:
        if not connection.execute(delete(_workers).where(_workers.c.id == worker.id)).rowcount:
            return []  # another process was first
        if is_out_of_memory:
            ended = _end_orphans(connection, store, _OUT_OF_MEMORY, Status.FAILED)
        elif worker.node_id is not None:
            ended = _queue_lost(connection, store, worker.id, f"{who}, and its node perhaps too")
        else:
            reason = "killed, out of memory, or the machine was shut down"
            ended = _end_orphans(connection, store, f"{who}: {reason}. Resume goes on from the last saved state.")
        message = "The command that was to train it ended; resume to queue it."
        _release(connection, store, worker.id, Status.INTERRUPTED, message)
    if worker.folder is not None:
        remove_group(Path(worker.folder))
    store.lost_workers.pop(worker.id, None)
    return ended


class WorkerHere(NamedTuple):
    """A worker of this machine; a foreground command has no slot."""

    id: str
    pid: int
    slot: int | None


def registered_here(store: Store) -> list[WorkerHere]:
    """All workers of this machine, also one that has no run yet."""
    with store.reading() as connection:
        return [WorkerHere(*row) for row in connection.execute(_here())]


def workers_here(store: Store) -> list[WorkerHere]:
    """The workers of this machine that are at work on a run."""
    run = exists(select(1).where(_runs.c.worker_id == _workers.c.id, _runs.c.status == Status.RUNNING))
    with store.reading() as connection:
        return [WorkerHere(*row) for row in connection.execute(_here().where(run))]


def registered(store: Store) -> set[str]:
    """The ids of the workers of all machines."""
    with store.reading() as connection:
        return set(connection.scalars(select(_workers.c.id)))


def at_work(store: Store) -> set[str]:
    """The workers of all machines that are at work on a run."""
    training = select(_runs.c.worker_id).where(_runs.c.status == Status.RUNNING, _runs.c.worker_id.is_not(None))
    with store.reading() as connection:
        return set(connection.scalars(training))


def num_ready(store: Store, takes: Takes = ALL, *, at_most: int | None = None) -> int:
    """How many runs wait for nothing but a worker, of those that it takes.

    Args: at_most: where to stop counting; of thousands nobody needs the number.
    """
    with store.reading() as connection:
        ready = _ready(None, reserved_only=False, takes=takes).order_by(None).limit(at_most).subquery()
        return connection.scalar(select(func.count()).select_from(ready)) or 0


def ready_by_wants(store: Store, engine: str) -> dict[Wants, int]:
    """How many runs that an engine may train wait for nothing but a worker, by what they want."""
    is_ready = _runs.c.id.in_(_ready(None, reserved_only=False, takes=None).order_by(None))
    counted = select(*COLUMNS, func.count()).where(is_ready, _runs.c.engine.in_((ANY_ENGINE, engine)))
    with store.reading() as connection:
        return {Wants(*row[:-1]): row[-1] for row in connection.execute(counted.group_by(*COLUMNS))}


def tell_waiting(store: Store, begins: str, told: Mapping[Wants, str]) -> None:
    """Say on queued runs why an engine cannot train them, by what they want, and no more on the others.

    Args: begins: how every sentence of that engine begins. The sentence of another engine stays.
    """
    queued = update(_runs).where(_runs.c.status == Status.QUEUED)
    is_ours = _runs.c.message.startswith(begins, autoescape=True)
    with store.writing(alone=False) as connection:
        for wants, sentence in told.items():
            is_new = (_runs.c.message != sentence) & (is_ours | ~_runs.c.message.startswith(WAITS, autoescape=True))
            connection.execute(queued.where(wants.is_of_run(), is_new).values(message=sentence))
        is_told = or_(false(), *(wants.is_of_run() for wants in told))
        connection.execute(queued.where(is_ours, ~is_told).values(message=""))


def waiting_for(run: Run, runs: Sequence[Run]) -> list[Run]:
    """The runs that must be completed before `run` can start."""
    if not run.needs:
        return []
    return [other for other in runs if other.id in run.needs and other.status != Status.COMPLETED]


def _taking(connection: Connection, worker_id: str, *, lock: bool = False) -> Row[Any] | None:
    """The row of a worker that may take another run. Args: lock: let nobody give it up until the transaction ends."""
    query = select(_workers).where(_workers.c.id == worker_id, _workers.c.is_draining == 0)
    return connection.execute(query.with_for_update() if lock else query).first()


def _here() -> Select[str, int, int | None]:
    return select(_workers.c.id, _workers.c.pid, _workers.c.slot).where(_workers.c.host == socket.gethostname())


def _ready(worker_id: str | None, reserved_only: bool, takes: Takes | None) -> Select[str]:
    """The runs that a worker may take, the oldest first: queued, their teachers completed, not another's.

    Args: takes: which of them; None for all, whatever they want.
    """
    needed = _runs.alias()
    waiting = (  # a set, made once from the few that others wait for, not by a look at each of thousands that wait
        select(schema.dependencies.c.run_id)
        .join(needed, needed.c.id == schema.dependencies.c.needs_id)
        .where(needed.c.status.in_(_UNFINISHED))
    )
    mine = false() if worker_id is None else _runs.c.reserved_for == worker_id
    free = _runs.c.reserved_for.is_(None) & (true() if takes is None else takes.fits())
    return (
        select(_runs.c.id)
        .where(_runs.c.status == Status.QUEUED, _runs.c.id.not_in(waiting))
        .where(mine if reserved_only else mine | free)
        .order_by(_runs.c.number)
    )


def _release(connection: Connection, store: Store, worker_id: str, status: Status, message: str) -> None:
    reserved = select(_runs.c.id).where(_runs.c.reserved_for == worker_id, _runs.c.status == Status.QUEUED)
    for run_id in connection.scalars(reserved).all():
        store.move(connection, run_id, status, message)


def _queue_lost(connection: Connection, store: Store, worker_id: str, reason: str) -> list[str]:
    """Queue the run of a lost worker again, unless it was to stop, or was lost several times."""
    columns = _runs.c.id, _runs.c.stop_requested, _runs.c.times_lost
    lost = select(*columns).where(_runs.c.status == Status.RUNNING, _runs.c.worker_id == worker_id)
    rows = connection.execute(lost).all()
    for run_id, stop_requested, times_lost in rows:
        if stop_requested:
            store.move(connection, run_id, Status.STOPPED, f"{reason}. Resume goes on from the last saved state.")
        elif times_lost >= _MOST_LOSSES:
            before = f"This has happened {times_lost} times before: the run itself may be the reason, see its log."
            message = f"{reason}. {before} Resume goes on from the last saved state."
            store.move(connection, run_id, Status.INTERRUPTED, message)
        else:
            connection.execute(update(_runs).where(_runs.c.id == run_id).values(times_lost=times_lost + 1))
            message = f"{reason}. It is queued again, and another worker continues it from the last saved state."
            store.move(connection, run_id, Status.QUEUED, message)
    return [row.id for row in rows]


def _end_orphans(connection: Connection, store: Store, message: str, status: Status = Status.INTERRUPTED) -> list[str]:
    """Runs that read running and have no worker any more."""
    lost = select(_runs.c.id).where(_runs.c.status == Status.RUNNING, _runs.c.worker_id.not_in(select(_workers.c.id)))
    run_ids = list(connection.scalars(lost))
    for run_id in run_ids:
        store.move(connection, run_id, status, message)
    return run_ids
