"""An index with all that a claim asks of waiting runs, and what a SQLite file notes of each write of a run."""

import sqlalchemy as sa
from alembic import op

from deit_core.runs import schema

revision, down_revision = "4", "3"


def upgrade() -> None:
    connection = op.get_bind()
    schema.metadata.create_all(connection)  # those that are missing
    op.drop_index("ix_runs_status", if_exists=True)
    (in_queue,) = (index for index in schema.runs.indexes if index.name == "runs_in_queue")
    in_queue.create(connection, checkfirst=True)
    if connection.dialect.name == "sqlite":
        written, number = schema.run_writes, schema.runs.c.number
        missing = sa.select(number).where(number.not_in(sa.select(written.c.number)))
        connection.execute(written.insert().from_select(["number"], missing))
