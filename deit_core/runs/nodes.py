"""The nodes of a cluster, as whoever keeps the cluster writes them down for everybody who opens the store.

So a page shows them without Ray, and on a machine that does not belong to the cluster. Knows the store; nothing of Ray.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from deit_core.runs import schema
from deit_core.runs.records import Status
from deit_core.runs.store import Store

SILENT_AFTER_S = 30.0  # the keeper of a cluster that has not written for so long is gone
_runs, _nodes, _workers = schema.runs, schema.nodes, schema.workers


class Node(NamedTuple):
    id: str
    host: str
    num_cpus: float
    num_gpus: float


class NodeActivity(NamedTuple):
    """A node, the numbers of the runs that it trains, and how long ago it was seen."""

    host: str
    num_cpus: float
    num_gpus: float
    run_numbers: list[int]
    seen_s: float

    @property
    def is_there(self) -> bool:
        return self.seen_s < SILENT_AFTER_S


def write_nodes(store: Store, nodes: Sequence[Node]) -> bool:
    """Write down all nodes that are there now. Returns whether a person has asked the cluster to end."""
    with store.writing(is_news=False) as connection:
        of_this_one = _nodes.c.id.in_([node.id for node in nodes])  # not of one that was killed
        is_asked = bool(connection.scalar(select(func.max(_nodes.c.is_asked_to_end)).where(of_this_one)))
        connection.execute(delete(_nodes))
        rows = [{**node._asdict(), "is_asked_to_end": int(is_asked)} for node in nodes]
        if rows:
            connection.execute(insert(_nodes).values(seen_at=store.now()), rows)
    return is_asked


def ask_to_end(store: Store) -> bool:
    """Ask the cluster to end once what it trains is done. Returns whether there is one."""
    with store.writing() as connection:
        connection.execute(update(_nodes).values(is_asked_to_end=1))
    return any(node.is_there for node in nodes_of(store))


def nodes_of(store: Store) -> list[NodeActivity]:
    with store.reading() as connection:
        return node_activity(connection, store)


def node_activity(connection: Connection, store: Store) -> list[NodeActivity]:
    """`nodes_of` inside a transaction that is already open."""
    training = (
        select(_workers.c.node_id, _runs.c.number)
        .join(_workers, _workers.c.id == _runs.c.worker_id)
        .where(_runs.c.status == Status.RUNNING, _workers.c.node_id.is_not(None))
        .order_by(_runs.c.number)
    )
    numbers = [tuple(row) for row in connection.execute(training)]
    now = store.clock() if store.database.clock is None else store.database.clock
    seen = select(_nodes, (now - _nodes.c.seen_at).label("seen_s")).order_by(_nodes.c.host, _nodes.c.id)
    return [
        NodeActivity(
            row.host,
            row.num_cpus,
            row.num_gpus,
            [number for node_id, number in numbers if node_id == row.id],
            max(0.0, float(row.seen_s)),
        )
        for row in connection.execute(seen)
    ]
