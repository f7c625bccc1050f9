"""Whether a worker is alive, by its process, its heartbeat, and by clocks that nobody can set.

The wall clock is useless here: a user or a time server may set it, and the start time of every process moves with it.
Linux has an id for each start of the machine and counts the time since then, the same for all processes; a worker
writes down both. For other workers, and those on other machines, it counts how long this process has seen the same
heartbeat. Knows the table of workers; nothing of runs.
"""

import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, Row, Select, insert, null, select, update

from deit_core.machine.memory_groups import counts_memory, memory_groups, num_killed
from deit_core.runs import schema
from deit_core.runs.store import Store

SILENT_AFTER_S = 10.0  # a worker with a newer heartbeat than this is alive, whatever its process looks like
GONE_AFTER_S = 60.0  # without heartbeat, for a worker on another machine, whose process cannot be checked

_workers, _pulses, _groups = schema.workers, schema.pulses, schema.worker_groups


def workers(store: Store) -> Select[Any]:
    """All workers, each as `is_gone` and `ran_out_of_memory` take it; `silent_s` is the age of the heartbeat by the
    database's own clock, where it has one.
    """
    pulse = _pulses.c.boot, _pulses.c.pid_namespace, _pulses.c.process_start, _pulses.c.beat_at
    group = _groups.c.folder, _groups.c.num_killed
    clock = store.database.clock
    silent_s = null() if clock is None else clock - _workers.c.heartbeat_at
    columns = (_workers, *pulse, *group, silent_s.label("silent_s"))
    return select(*columns).outerjoin_from(_workers, _pulses).outerjoin(_groups)


def begin(connection: Connection, store: Store, worker_id: str) -> None:
    """Write the identity of this process as a worker's, where the system counts its time."""
    if boot := _boot():
        row = {
            "boot": boot,
            "pid_namespace": _pid_namespace(),
            "process_start": process_start(os.getpid()),
            "beat_at": store.steady(),
        }
        connection.execute(insert(_pulses).values(worker_id=worker_id, **row))
    if group := memory_group():
        connection.execute(insert(_groups).values(worker_id=worker_id, **group))


def beat(connection: Connection, store: Store, worker_id: str) -> bool:
    """Write a heartbeat. False when the worker is not in the table any more."""
    statement = update(_workers).where(_workers.c.id == worker_id).values(heartbeat_at=store.now())
    connection.execute(update(_pulses).where(_pulses.c.worker_id == worker_id).values(beat_at=store.steady()))
    if group := memory_group():  # another one where the process was moved
        connection.execute(update(_groups).where(_groups.c.worker_id == worker_id).values(**group))
    return connection.execute(statement).rowcount == 1


def is_gone(worker: Row[Any], store: Store) -> bool:
    """Whether a worker has ended. If that is unclear, only after a long time without heartbeat."""
    numbers = (worker.pid, worker.process_started_at, worker.heartbeat_at, worker.beat_at or 0.0)
    if not all(isinstance(number, int | float) for number in numbers):
        return True  # no worker has written this
    is_here = worker.host == socket.gethostname()
    if worker.boot is not None and (boot := _boot()):
        if worker.boot == boot and worker.pid_namespace in (None, _pid_namespace()) and is_here:
            return bool(worker.process_start != process_start(worker.pid))
        if worker.boot == boot:  # in another container, or the machine has a new name
            return bool(store.steady() - worker.beat_at > GONE_AFTER_S)
        if is_here and worker.silent_s is None:
            return True  # the machine has started anew
        is_here = False
    if not is_here:
        return _seen_silent_s(worker, store) > GONE_AFTER_S
    try:
        process = psutil.Process(worker.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        seems_another = abs(process.create_time() - worker.process_started_at) > 1  # as it does after the clock is set
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        seems_another = True
    return seems_another and _seen_silent_s(worker, store) > SILENT_AFTER_S


def age_s(worker: Row[Any], store: Store) -> float:
    """How long ago the newest heartbeat of a worker was, by the clock that nobody can set where both share it."""
    if worker.boot is not None and worker.boot == _boot():
        return max(0.0, store.steady() - float(worker.beat_at))
    return max(0.0, worker.silent_s if worker.silent_s is not None else store.clock() - float(worker.heartbeat_at))


def ran_out_of_memory(worker: Row[Any]) -> bool:
    """Whether the system has ended a process of a worker's control group since the worker's last heartbeat.

    False where the group is not to be seen from here.
    """
    is_here = worker.host == socket.gethostname() and worker.boot == _boot()
    return is_here and worker.folder is not None and num_killed(Path(worker.folder)) > worker.num_killed


def process_start(pid: int) -> int | None:
    """The start of a process, in ticks since the start of the machine; None where there is none, or not on Linux.

    A zombie, a dead process that its parent has not collected yet, does not count.
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
    """The id of this start of the machine; None where the system has none, or does not show its processes."""
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return name if process_start(os.getpid()) is not None else None


@cache
def _pid_namespace() -> str | None:
    """The namespace in which this process's pid means something; None where the system has none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def memory_group() -> dict[str, Any]:
    """The columns on the nearest control group of this process that counts memory; none where it is in none."""
    group = next(filter(counts_memory, memory_groups()), None)
    return {} if group is None else {"folder": str(group), "num_killed": num_killed(group)}


def _seen_silent_s(worker: Row[Any], store: Store) -> float:
    """For how long a worker has been silent: by the database's clock, else as long as this process has seen it."""
    if worker.silent_s is not None:
        return float(worker.silent_s)
    newest, since = store.beats_seen.get(worker.id, (None, 0.0))
    if newest != worker.heartbeat_at:
        newest, since = store.beats_seen[worker.id] = worker.heartbeat_at, store.steady()
    return store.steady() - since
