"""What runs want of workers, and which runs workers take; an index with all that a claim asks of waiting runs, and what
a SQLite file notes of each write of a run."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from deit_core.runs import schema
from deit_core.runs.rows import parse_spec

revision, down_revision = "4", "3"


def _new() -> dict[str, tuple[sa.Column[Any], ...]]:
    """New for each store: a column belongs to one table."""
    return {
        "workers": (
            sa.Column("engine", sa.String(8)),
            sa.Column("num_devices", sa.Integer),
            sa.Column("num_nodes", sa.Integer, nullable=False, server_default="1"),
        ),
        "runs": (
            sa.Column("engine", sa.String(8), nullable=False, server_default="any"),
            sa.Column("num_devices", sa.Integer, nullable=False, server_default="1"),
            sa.Column("num_nodes", sa.Integer, nullable=False, server_default="1"),
        ),
    }


def upgrade() -> None:
    connection = op.get_bind()
    for table, columns in _new().items():
        there = {column["name"] for column in sa.inspect(connection).get_columns(table)}
        for column in columns:
            if column.name not in there:  # as in a table that version 1 has just made
                op.add_column(table, column)
    runs = sa.table("runs", sa.column("id"), sa.column("spec"), sa.column("num_devices"))
    for run_id, text in connection.execute(sa.select(runs.c.id, runs.c.spec)).all():
        if (spec := parse_spec(text)) is not None and spec.compute.devices > 1:
            connection.execute(runs.update().where(runs.c.id == run_id).values(num_devices=spec.compute.devices))
    schema.metadata.create_all(connection)  # those that are missing
    op.drop_index("ix_runs_status", if_exists=True)
    (in_queue,) = (index for index in schema.runs.indexes if index.name == "runs_in_queue")
    in_queue.create(connection, checkfirst=True)
    if connection.dialect.name == "sqlite":
        written, number = schema.run_writes, schema.runs.c.number
        missing = sa.select(number).where(number.not_in(sa.select(written.c.number)))
        connection.execute(written.insert().from_select(["number"], missing))
