"""Brings the tables of an older store to the newest version, by the steps in versions/, which Alembic orders and runs.

Knows how tables change; nothing of what is in them.
"""

from pathlib import Path

from sqlalchemy import Connection

from deit_core.runs import schema

_FOLDER = Path(__file__).parent


def prepare(connection: Connection) -> None:
    """Bring an empty or older store to this version, within the transaction that is open."""
    if schema.is_empty(connection):
        schema.metadata.create_all(connection)
    else:
        _upgrade(connection)
    schema.set_version(connection, schema.VERSION)


def _upgrade(connection: Connection) -> None:
    from alembic.migration import MigrationContext  # which most processes never need
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    version = schema.version_of(connection)
    steps = ScriptDirectory(str(_FOLDER)).iterate_revisions("head", str(version) if version else "base")
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(list(steps)):
            step.module.upgrade()
