"""The tables of the store. Times are seconds since the epoch (UTC), so that they mean the same in every database.

A change of a table raises VERSION, and a file in migrations/versions says how an older store gets it. SQLite keeps the
version in the head of its file (`user_version`), where it is read before any table; PostgreSQL in Alembic's table.
"""

import json
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    delete,
    event,
    insert,
    inspect,
    select,
)

from deit_core.runs.sqlite_triggers import TRIGGERS

VERSION = 4
MAX_KEY = 80


class _JsonText(TypeDecorator[Any]):
    """JSON as a text, since PostgreSQL's own type refuses NaN."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: object) -> str:
        return json.dumps(value)

    def process_result_value(self, value: Any, dialect: object) -> Any:
        return json.loads(value)


JSON_COLUMN = JSON().with_variant(_JsonText(), "postgresql")
COUNTER = BigInteger().with_variant(Integer, "sqlite")  # an INTEGER of SQLite's has 64 bits, and counts by itself

metadata = MetaData()

experiments = Table(
    "experiments",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

# A separate table, not a column of `experiments`: an older store gets missing tables, but not columns.
experiment_specs = Table(
    "experiment_specs",
    metadata,
    Column("experiment_id", ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("spec", Text, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started_at", Float, nullable=False),  # together with the pid, identifies a process
    Column("slot", Integer),  # its worker slot on the machine; none for a foreground command
    Column("heartbeat_at", Float, nullable=False),
    Column("node_id", String(64)),  # the node of a cluster that it works on; none for a process of a machine by itself
    Column("engine", String(8)),  # who started it, and so whose runs it takes; none for all
    Column("devices", String(40)),  # the values of compute.device whose runs it takes, with commas; none for all
    Column("num_devices", Integer),  # the value of compute.devices; none for all
    Column("num_nodes", Integer, nullable=False, default=1, server_default="1"),  # and of compute.nodes
    Column("is_draining", Integer, nullable=False, default=0, server_default="0"),  # it takes no other run
)

# The machines of a cluster, as whoever keeps the cluster sees them.
nodes = Table(
    "nodes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("num_cpus", Float, nullable=False),
    Column("num_gpus", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("is_asked_to_end", Integer, nullable=False, default=0),
)

# A separate table for the same reason: heartbeats by clocks that nobody can set, if the system has them (pulse.py).
pulses = Table(
    "pulses",
    metadata,
    Column("worker_id", ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True),
    Column("boot", String(36), nullable=False),  # the id of this start of its machine
    Column("pid_namespace", String(40)),  # in which its pid means something
    Column("process_start", Integer, nullable=False),  # in ticks since then
    Column("beat_at", Float, nullable=False),  # in seconds since then
)

# The control group that a worker's memory counts in, and how many of its processes the system had ended by its last
# heartbeat, where the system has groups.
worker_groups = Table(
    "worker_groups",
    metadata,
    Column("worker_id", ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True),
    Column("folder", Text, nullable=False),
    Column("num_killed", Integer, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(12), nullable=False, unique=True),
    # The order of submission, which is the order of the queue. Never reused: links and people remember it.
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("experiment_id", ForeignKey("experiments.id", ondelete="SET NULL"), index=True),
    Column("spec", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("message", Text, nullable=False, default=""),
    Column("stop_requested", Integer, nullable=False, default=0),
    Column("reserved_for", String(12)),  # the only worker that may claim it: that of a foreground command
    Column("worker_id", String(12)),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("step", Integer, nullable=False, default=0),
    Column("total_steps", Integer, nullable=False, default=0),
    Column("epoch", Integer, nullable=False, default=0),
    Column("time_left_s", Float),
    Column("results", JSON_COLUMN, nullable=False, default=dict),  # newest val_*, best_epoch, then test_*, num_params
    # Of its spec: compute.engine, device, devices and nodes.
    Column("engine", String(8), nullable=False, default="any", server_default="any"),
    Column("device", String(8), nullable=False, default="auto", server_default="auto"),
    Column("num_devices", Integer, nullable=False, default=1, server_default="1"),
    Column("num_nodes", Integer, nullable=False, default=1, server_default="1"),
    Column(
        "times_lost", Integer, nullable=False, default=0, server_default="0"
    ),  # with a node, since a person queued it
    Index(  # all that a claim asks of a run
        "runs_in_queue", "status", "number", "reserved_for", "engine", "device", "num_devices", "num_nodes", "id"
    ),
    sqlite_autoincrement=True,
)

# The last write of each run's row, or of its part in other tables, in a SQLite file, whose triggers keep it; `seq` only
# grows. A PostgreSQL server notes it in the rows themselves.
run_writes = Table(
    "run_writes",
    metadata,
    Column("seq", COUNTER, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

# The runs of a submission that was given a key: the same key again is the same submission.
submissions = Table(
    "submissions",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(MAX_KEY), nullable=False, index=True),
)

dependencies = Table(
    "dependencies",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("needs_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, index=True),
)

metrics = Table(
    "metrics",
    metadata,
    Column("seq", COUNTER, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(6), nullable=False),  # step, epoch, or start: a session began after `step`
    Column("step", Integer, nullable=False),
    Column("epoch", Float, nullable=False),
    Column("elapsed_s", Float, nullable=False),
    Column("metrics", JSON_COLUMN, nullable=False),
    Index("metrics_of_run", "run_id", "seq"),
)

lifecycle = Table(
    "lifecycle",
    metadata,
    Column("seq", COUNTER, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("status", String(12), nullable=False),
    Column("message", Text, nullable=False, default=""),
)

# Curves of other programs, which are drawn beside those of runs and are no runs: they have no spec.
imported_curves = Table(
    "imported_curves",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("imported_at", Float, nullable=False),
    Column("steps_per_epoch", Float),  # none where it is not known
)

imported_lines = Table(
    "imported_lines",
    metadata,
    Column("curve_id", ForeignKey("imported_curves.id", ondelete="CASCADE"), primary_key=True),
    Column("metric", String(40), primary_key=True),
    Column("kind", String(6), nullable=False),  # step or epoch, as of `metrics`
    Column("tag", Text, nullable=False),  # what the other program called it
    Column("points", JSON_COLUMN, nullable=False),  # a list of [step, seconds since the first, value]
)

for _trigger in TRIGGERS:
    _in_a_file = DDL(_trigger).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call]
    event.listen(metadata, "after_create", _in_a_file)


def is_empty(connection: Connection) -> bool:
    """Whether a database has none of the tables yet."""
    return not set(inspect(connection).get_table_names()) & set(metadata.tables)


def version_of(connection: Connection) -> int:
    """The version of a store; 0 for an empty one, and for those from before stores had a version."""
    if connection.dialect.name == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if not inspect(connection).has_table(_VERSIONS.name):
        return 0
    return int(connection.scalar(select(_VERSIONS.c.version_num)) or 0)


def set_version(connection: Connection, version: int) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")
    else:
        _VERSIONS.create(connection, checkfirst=True)
        connection.execute(delete(_VERSIONS))
        connection.execute(insert(_VERSIONS).values(version_num=str(version)))


def lacks(connection: Connection) -> list[str]:
    """The tables, and the columns as `table.column`, that this version needs and a store does not have."""
    there = inspect(connection)
    names = set(there.get_table_names())
    lost = [name for name in metadata.tables if name not in names]
    for name, table in metadata.tables.items():
        if name in names:
            columns = {column["name"] for column in there.get_columns(name)}
            lost += [f"{name}.{column.name}" for column in table.columns if column.name not in columns]
    return lost


_VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def number_all(connection: Connection) -> None:
    """Number the runs of a store from before SQLite numbered them; does nothing to other stores."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "UPDATE runs SET number = (SELECT coalesce(max(number), 0) FROM runs) + rowid WHERE number IS NULL"
        )
