"""Whether a worker lives, by its process and its beats, and by clocks that nobody sets.

The wall clock says nothing here: a person or a time server may set it, and the start time of every process moves with
it. Linux names each start of the machine and counts the time since, the same for all its processes; a worker writes
both down. Of workers that did not, and of those on other machines, it counts for how long this process has seen the
same beat. Knows the table of workers; nothing of runs.
"""

import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, Row, Select, insert, select, update

from deit_core.runs import schema
from deit_core.runs.store import Store

SILENT_AFTER_S = 10.0  # a worker that beats more often than this is alive, whatever its process looks like
GONE_AFTER_S = 60.0  # of silence, for a worker whose process cannot be looked at: it is on another machine

_workers, _pulses = schema.workers, schema.pulses


def workers() -> Select[Any]:
    """All workers, each as `is_gone` takes it."""
    return select(_workers, _pulses.c.boot, _pulses.c.process_start, _pulses.c.beat_at).outerjoin(_pulses)


def begin(connection: Connection, store: Store, worker_id: str) -> None:
    """Write down this process as a worker's, where the system counts its time."""
    if boot := _boot():
        row = {"boot": boot, "process_start": process_start(os.getpid()), "beat_at": store.steady()}
        connection.execute(insert(_pulses).values(worker_id=worker_id, **row))


def beat(connection: Connection, store: Store, worker_id: str) -> bool:
    """Say that a worker is alive. False when it is no longer among the workers."""
    statement = update(_workers).where(_workers.c.id == worker_id).values(heartbeat_at=store.clock())
    connection.execute(update(_pulses).where(_pulses.c.worker_id == worker_id).values(beat_at=store.steady()))
    return connection.execute(statement).rowcount == 1


def is_gone(worker: Row[Any], store: Store) -> bool:
    """Whether a worker has ended. Of one in doubt that is told after it was silent for long enough."""
    is_here = worker.host == socket.gethostname()
    if worker.boot is not None and (boot := _boot()):
        if is_here:
            return bool(worker.boot != boot or worker.process_start != process_start(worker.pid))
        if worker.boot == boot:  # in another container, or the machine has a new name
            return bool(store.steady() - worker.beat_at > GONE_AFTER_S)
    if not is_here:
        return _seen_silent_s(worker, store) > GONE_AFTER_S
    try:
        process = psutil.Process(worker.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        seems_another = abs(process.create_time() - worker.process_started_at) > 1  # so it does once the clock is set
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        seems_another = True
    return seems_another and _seen_silent_s(worker, store) > SILENT_AFTER_S


def process_start(pid: int) -> int | None:
    """When a process of this machine began, in ticks since the machine did; None where there is none, or Linux is not.

    A zombie, which is what is left of a process until its parent asks, is none.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def process_age_s() -> float:
    """For how long this process has been running."""
    start = process_start(os.getpid())
    if start is None:
        return time.time() - psutil.Process().create_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - start / os.sysconf("SC_CLK_TCK")


@cache
def _boot() -> str | None:
    """The name of this start of the machine; None where the system has none, or does not show its processes."""
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return name if process_start(os.getpid()) is not None else None


def _seen_silent_s(worker: Row[Any], store: Store) -> float:
    """For how long this process has seen no other beat of a worker than its newest."""
    newest, since = store.beats_seen.get(worker.id, (None, 0.0))
    if newest != worker.heartbeat_at:
        newest, since = store.beats_seen[worker.id] = worker.heartbeat_at, store.steady()
    return store.steady() - since
