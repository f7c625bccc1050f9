"""What a PostgreSQL server tells by itself: that somebody has written into the database (LISTEN and NOTIFY).

A listener has a connection of its own. Knows nothing of what is written.
"""

import weakref

import psycopg
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from deit_core.runs.database import Listener

_CHANNEL = "deit_lab"  # of each database its own
_HAS_WRITTEN = func.pg_current_xact_id_if_assigned().is_not(None)
TELL = select(func.pg_notify(_CHANNEL, "")).where(_HAS_WRITTEN)  # listeners hear it once this transaction is committed


class PostgresListener(Listener):
    """Connects when it is asked first, and again when the connection was lost."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: psycopg.Connection | None = None

    def has_news(self) -> bool:
        try:
            if self._connection is None:
                self._connection = self._connect()
                return True  # whatever was written before
            return bool(list(self._connection.notifies(timeout=0)))
        except (DBAPIError, psycopg.Error):
            self.close()
            return True

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection:
        pooled = self._engine.raw_connection()
        connection = pooled.dbapi_connection
        assert isinstance(connection, psycopg.Connection)
        pooled.detach()  # the pool has room for others
        weakref.finalize(self, connection.close)
        connection.autocommit = True
        connection.execute(f"LISTEN {_CHANNEL}")
        return connection
