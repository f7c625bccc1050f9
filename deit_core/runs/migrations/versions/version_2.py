"""A worker's pid means something in its own pid namespace alone: two containers may have one host name."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "2", "1"


def upgrade() -> None:
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("pulses")}
    if "pid_namespace" not in there:  # as in a table that version 1 has just made
        op.add_column("pulses", sa.Column("pid_namespace", sa.String(40)))
