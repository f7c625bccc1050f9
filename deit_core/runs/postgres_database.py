"""A store on a PostgreSQL server, which several machines share.

The tables are made in an empty database when it is opened. Those of an older version change only when somebody asks for
it (`upgrade`), since other machines may be at work on them. Knows the tables; nothing of what is in them.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, Float, Select, cast, create_engine, extract, func, select
from sqlalchemy.exc import DBAPIError

from deit_core.errors import RunError, StoreError
from deit_core.refusals import newer_store
from deit_core.runs import migrations, schema
from deit_core.runs.database import Database
from deit_core.runs.postgres_errors import server_error
from deit_core.runs.postgres_listener import TELL, PostgresListener

OLDEST = 13  # the first PostgreSQL with pg_current_xact_id_if_assigned (release notes of 13)
_CONNECT_S = 10
_SILENT_S = 60.0
_ALONE = select(func.pg_advisory_xact_lock(0xDE17))  # any number that no other program takes in this database


class PostgresDatabase(Database):
    """Transactions on a server. Those that decide take turns; points, heartbeats and claims are written side by side.

    Args:
        name: the address without user and password.
        create: make the tables where there are none.
        upgrade: bring tables of an older version to this one.
    Raises: also RunError where they are to be upgraded while workers use them.
    """

    num_openings = 1
    clock = cast(extract("epoch", func.clock_timestamp()), Float)

    def __init__(self, url: URL, name: str, *, create: bool = True, upgrade: bool = False) -> None:
        self.url = url.render_as_string(hide_password=False)
        self.name = name
        self._engine = create_engine(
            url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_S, "application_name": "DeiT Lab"}
        )
        weakref.finalize(self, self._engine.dispose)  # a command opens a store and leaves it
        self._has_tables = False
        try:
            self._open(create=create, upgrade=upgrade)
        except BaseException:
            self.close()
            raise

    @property
    def is_there(self) -> bool:
        """Whether the database has the tables."""
        if not self._has_tables:
            self._open(create=False)
        return self._has_tables

    @contextmanager
    def writing(self, *, anew: bool = False, alone: bool = True, is_news: bool = True) -> Iterator[Connection]:
        if not self.is_there:
            if not anew:
                raise RunError(self.gone())
            self._open(create=True)
        with self._errors(), self._engine.begin() as connection:
            if alone:
                connection.execute(_ALONE)
            yield connection
            if is_news:
                connection.execute(TELL)

    def listen(self) -> PostgresListener:
        return PostgresListener(self._engine)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._errors(), self._engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def damage(self) -> str:
        return ""  # the server looks after its files

    def size_bytes(self) -> int:
        with self.reading() as connection:
            sizes = [func.pg_total_relation_size(name) for name in schema.metadata.tables]
            return sum(connection.execute(select(*sizes)).one())

    def gone(self) -> str:
        return f"The store {self.name} is gone; restore it on its server, or set DEIT_STORE to another."

    def _upgrade(self) -> None:
        with self._errors(), self._engine.begin() as connection:
            connection.execute(_ALONE)
            if schema.version_of(connection) < schema.VERSION:
                if not schema.is_empty(connection) and connection.scalar(self._at_work()):
                    raise RunError(
                        f"Workers use the store {self.name}; stop its runs, wait until `python -m deit_core runs` "
                        "shows none that is running, and try again."
                    )
                migrations.prepare(connection)

    def _at_work(self) -> Select[str]:
        """Workers that were not silent for long; a dead one cannot leave a store that this version does not open."""
        workers = schema.workers.c
        return select(workers.id).where(workers.heartbeat_at > self.clock - _SILENT_S).limit(1)

    def close(self) -> None:
        self._engine.dispose()

    def _open(self, *, create: bool, upgrade: bool = False) -> None:
        with self._errors(), self._engine.connect() as connection:
            major = int((connection.dialect.server_version_info or (OLDEST,))[0])
            if major < OLDEST:
                raise StoreError(
                    f"The server of the store {self.name} is PostgreSQL {major}; take one of {OLDEST} or newer."
                )
            version, is_empty = schema.version_of(connection), schema.is_empty(connection)
        if version > schema.VERSION:
            raise newer_store(self.name, version, schema.VERSION)
        if (create and is_empty) or (upgrade and version < schema.VERSION):
            self._upgrade()
        elif is_empty:
            return
        elif version < schema.VERSION:
            raise StoreError(
                f"The store {self.name} is of an older version of DeiT Lab (its tables have version {version}, this "
                f"one needs {schema.VERSION}); stop its runs, then run `python -m deit_core store upgrade` once."
            )
        self._has_tables = True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raises: StoreError where the server fails and it is not a bug."""
        try:
            yield
        except DBAPIError as error:
            if (known := server_error(error, self.name)) is None:
                raise
            raise known from None  # the driver's own text may quote the address
