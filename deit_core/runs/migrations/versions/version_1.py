"""What stores had when they got a version. Those from before lack some of the tables, or numbers of runs."""

from alembic import op

from deit_core.runs import schema

revision, down_revision = "1", None


def upgrade() -> None:
    schema.metadata.create_all(op.get_bind())  # those that are missing
    schema.number_all(op.get_bind())
