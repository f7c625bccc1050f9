"""A store in a SQLite file (WAL) that may be moved or removed while it is open, by this or another process.

It is opened without writing, so that a store on a full disk, or in a folder that nobody may write to, can be read.
Knows the tables; nothing of what is in them.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from deit_core.errors import FullStoreError, ReadOnlyStoreError, RunError, StoreError
from deit_core.refusals import damaged_store, newer_store, read_only_store, refusal, store_error
from deit_core.runs import migrations, schema
from deit_core.runs.database import Database
from deit_core.settings import sqlite_url

BUSY_TIMEOUT_S = 30  # how long a writer waits for another one


class SqliteDatabase(Database):
    """Transactions on the file that is at a path now. Only one of them can write at a time.

    Args: create: create the file if it does not exist; else it is created with the first run.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.path = sqlite_path(url)
        self.name, self.url = str(self.path), sqlite_url(self.path)  # absolute, since workers open it too
        self._writer, self._reader = _writer(self.url), _reader(self.path)
        self._engine = self._writer
        self.num_openings = 0
        self._opening = threading.Lock()
        self._file: tuple[int, int] | None = None
        if create or _identity(self.path) is not None:
            self._open()

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()

    @property
    def is_there(self) -> bool:
        """Whether there is a file at the path. If it is another file than before, opens that one."""
        identity = _identity(self.path)
        if identity is not None and identity != self._file:
            self._open()
        return identity is not None

    @contextmanager
    def writing(self, *, anew: bool = False, alone: bool = True, is_news: bool = True) -> Iterator[Connection]:
        """One transaction that has the write lock from its start, so what it reads stays true."""
        if not self.is_there:
            if not anew:
                raise RunError(self.gone())  # data written into a removed file is lost
            self._open()
        if self._engine is self._reader:
            try:
                with self._opening:
                    self._open_to_write()  # it may be possible by now
            except ReadOnlyStoreError:
                raise read_only_store(self.path) from None
        with self._writing() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _readable_errors(self.path), self._engine.connect() as connection:
            yield connection

    def damage(self) -> str:
        with self.reading() as connection:
            return _damage(connection)

    def size_bytes(self) -> int:
        """Of the file, and of the log of changes that SQLite keeps next to it."""
        files = self.path, self.path.with_name(f"{self.path.name}-wal")
        return sum(file.stat().st_size for file in files if file.is_file())

    def gone(self) -> str:
        return (
            f"The store {self.path} is gone: it was moved or removed, and its runs with it. Put it back; or start a "
            "run, which creates a new store."
        )

    def copy_to(self, path: Path) -> None:
        """Write a copy to a new file, whole or not at all. Raises: StoreError where it cannot be written."""
        _copy(self._engine, self.path, path)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _readable_errors(self.path), self._writer.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _open(self) -> None:
        """Open the file at the path; create it if necessary, and bring an older one to this version."""
        with self._opening:
            if self._file is not None and self._file == _identity(self.path):
                return  # another thread was first
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer.dispose()  # its connections lead to the file before
                self._open_to_write()
            except (FullStoreError, ReadOnlyStoreError):
                if _identity(self.path) is None:
                    raise
                self._open_to_read()
            self._file = _identity(self.path)  # no other file can have it while the engine keeps a connection
            self.num_openings += 1

    def _open_to_write(self) -> None:
        with _readable_errors(self.path), self._writer.connect() as connection:
            version = self._version(connection)
            if version < schema.VERSION and (damage := _damage(connection)):
                raise damaged_store(f"The store {self.path} is damaged ({damage})")  # and stays as it is
            is_older = version < schema.VERSION and not schema.is_empty(connection)
        if is_older:
            self._copy_before_upgrade(version)
        if version < schema.VERSION:
            with self._writing() as connection:
                if self._version(connection) < schema.VERSION:  # no other process was first
                    migrations.prepare(connection)
                    self._check(connection)  # else it stays as it is
        with _readable_errors(self.path), self._writer.connect() as connection:
            self._check(connection)
        self._engine = self._writer

    def _copy_before_upgrade(self, version: int) -> None:
        copy = self.path.with_name(f"{self.path.name}.version-{version}")
        if not copy.exists():
            _copy(self._writer, self.path, copy)

    def _open_to_read(self) -> None:
        with _readable_errors(self.path), self._reader.connect() as connection:
            version = self._version(connection)
            if version < schema.VERSION and schema.lacks(connection):
                raise read_only_store(self.path)
            self._check(connection)
        self._engine = self._reader

    def _version(self, connection: Connection) -> int:
        """Raises: StoreError for a store of a newer version."""
        version = schema.version_of(connection)
        if version > schema.VERSION:
            raise newer_store(self.name, version, schema.VERSION)
        return version

    def _check(self, connection: Connection) -> None:
        """Raises: DamagedStoreError where a table or column is missing."""
        if lost := schema.lacks(connection):
            raise damaged_store(f"The store {self.path} is damaged: it lacks {', '.join(lost[:5])}")


def sqlite_path(url: str) -> Path:
    """The absolute path of the file that an address names.

    Raises: RunError for another kind of address.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise RunError(
            "DEIT_STORE is the address of a SQLite file, such as sqlite:///runs.sqlite, or of a PostgreSQL server, "
            "such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE; set it to one."
        )
    return Path(os.path.realpath(parsed.database))


def _identity(path: Path) -> tuple[int, int] | None:
    """The identity of the file at a path; None where there is none, or it is empty and not yet written.

    Raises: StoreError where none can be.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(refusal(error)) from error
    return (facts.st_dev, facts.st_ino) if facts.st_size else None


def _damage(connection: Connection) -> str:
    said = str(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar())
    return "" if said == "ok" else said


def _copy(engine: Engine, source: Path, path: Path) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _readable_errors(path), _readable_errors(source), engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(unfinished),))
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    """Raises: StoreError where the database at `path` fails and it is not a bug."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        if (known := store_error(error, path)) is None:
            raise
        raise known from error


def _writer(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        _as_we_read(connection)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _reader(path: Path) -> Engine:
    """Connections that write nothing at all, not even the files that SQLite otherwise makes next to a store."""
    file = f"{path.as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        try:
            return _first_look(f"{file}&readonly_shm=1")
        except sqlite3.OperationalError:
            newest = path.with_name(f"{path.name}-wal")
            if newest.exists() and newest.stat().st_size:
                raise
        return _first_look(f"{file}&immutable=1")

    # Each transaction has its own connection: one to a file that is taken to be immutable never sees a change.
    engine = create_engine("sqlite:///", creator=connect, poolclass=NullPool)
    event.listen(engine, "connect", lambda connection, _record: _as_we_read(connection))
    return engine


def _first_look(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _as_we_read(connection: Any) -> None:
    connection.isolation_level = None  # the driver's own transactions would start too late; ours start at once
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")  # one bad text hides no other row
