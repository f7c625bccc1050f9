"""Clusters: their nodes, which runs a worker takes, and how often a run was lost with one. Keys of submissions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from deit_core.runs import schema
from deit_core.runs.rows import parse_spec

revision, down_revision = "3", "2"


def _new() -> dict[str, tuple[sa.Column[Any], ...]]:
    """New for each store: a column belongs to one table."""
    return {
        "workers": (
            sa.Column("node_id", sa.String(64)),
            sa.Column("devices", sa.String(40)),
            sa.Column("is_draining", sa.Integer, nullable=False, server_default="0"),
        ),
        "runs": (
            sa.Column("device", sa.String(8), nullable=False, server_default="auto"),
            sa.Column("times_lost", sa.Integer, nullable=False, server_default="0"),
        ),
    }


def upgrade() -> None:
    connection = op.get_bind()
    schema.metadata.create_all(connection)  # those that are missing
    for table, columns in _new().items():
        there = {column["name"] for column in sa.inspect(connection).get_columns(table)}
        for column in columns:
            if column.name not in there:  # as in a table that version 1 has just made
                op.add_column(table, column)
    runs = sa.table("runs", sa.column("id"), sa.column("spec"), sa.column("device"))
    for run_id, text in connection.execute(sa.select(runs.c.id, runs.c.spec)).all():
        if (spec := parse_spec(text)) is not None and spec.compute.device != "auto":
            connection.execute(runs.update().where(runs.c.id == run_id).values(device=spec.compute.device))
