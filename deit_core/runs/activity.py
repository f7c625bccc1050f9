"""What goes on now: how many runs wait or run, the workers, and the size of the store. Only reads."""

from typing import NamedTuple

from sqlalchemy import func, select

from deit_core.runs import pulse, schema
from deit_core.runs.nodes import NodeActivity, node_activity
from deit_core.runs.records import Status
from deit_core.runs.store import Store


class WorkerActivity(NamedTuple):
    """A worker and the number of its run, if it has one; `heartbeat_age_s` is how long ago its heartbeat was."""

    host: str
    pid: int
    run_number: int | None
    heartbeat_age_s: float


class Activity(NamedTuple):
    """`store_bytes` counts the store's log of changes too, which SQLite keeps in a file next to it."""

    num_queued: int
    num_running: int
    workers: list[WorkerActivity]
    nodes: list[NodeActivity]
    store_bytes: int


def activity(store: Store) -> Activity:
    runs, workers = schema.runs, schema.workers
    with store.reading() as connection:
        by_status = select(runs.c.status, func.count()).group_by(runs.c.status)
        counts: dict[str, int] = dict(connection.execute(by_status).all())
        training = connection.execute(select(runs.c.worker_id, runs.c.number).where(runs.c.status == Status.RUNNING))
        number_of: dict[str | None, int] = dict(training.all())
        rows = connection.execute(pulse.workers(store).order_by(workers.c.host, workers.c.pid)).all()
        nodes = node_activity(connection, store)
    return Activity(
        num_queued=counts.get(Status.QUEUED, 0),
        num_running=counts.get(Status.RUNNING, 0),
        workers=[WorkerActivity(row.host, row.pid, number_of.get(row.id), pulse.age_s(row, store)) for row in rows],
        nodes=nodes,
        store_bytes=store.database.size_bytes(),
    )
