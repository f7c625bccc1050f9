"""A SQLite file (WAL) that may be moved or removed while it is open, by this or another process.

Knows the tables; nothing of what is in them.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from deit_core.errors import RunError, StoreError
from deit_core.refusals import refusal, store_error
from deit_core.runs import schema
from deit_core.settings import sqlite_url

BUSY_TIMEOUT_S = 30  # how long a writer waits for another one


class Database:
    """Transactions on the file that is at a path now. Safe to share between threads.

    Raises, also in each transaction: StoreError where the file cannot be read or written.

    Args: create: create the file if it does not exist; else it is created with the first run.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.path = sqlite_path(url)
        self.url = sqlite_url(self.path)  # absolute, since workers open it too
        self.engine = create_engine(self.url, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(self.engine, "connect", _prepare_sqlite)
        self.num_openings = 0  # another number is another file
        self._opening = threading.Lock()
        self._file: tuple[int, int] | None = None
        if create or _identity(self.path) is not None:
            self._open()

    def close(self) -> None:
        self.engine.dispose()

    @property
    def is_there(self) -> bool:
        """Whether there is a file at the path. If it is another file than before, opens that one."""
        identity = _identity(self.path)
        if identity is not None and identity != self._file:
            self._open()
        return identity is not None

    @contextmanager
    def writing(self, *, anew: bool = False) -> Iterator[Connection]:
        """One transaction that has the write lock from its start, so what it reads stays true.

        Args: anew: create a new file if there is none any more.
        Raises: RunError if there is none and not `anew`: data written into a removed file is lost.
        """
        if not self.is_there:
            if not anew:
                raise RunError(gone(self.path))
            self._open()
        with self._writing() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read what was last written, without waiting for writers. Nothing can be read if the file is gone."""
        if not self.is_there:
            with _nothing() as connection:
                yield connection
            return
        with _readable_errors(self.path), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _readable_errors(self.path), self.engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _open(self) -> None:
        """Open the file at the path, create it if necessary, and add missing tables."""
        with self._opening:
            if self._file is not None and self._file == _identity(self.path):
                return  # another thread was first
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.engine.dispose()  # its connections lead to the file before
            with self._writing() as connection:
                schema.prepare(connection)
            self._file = _identity(self.path)  # no other file can have it while the engine keeps a connection
            self.num_openings += 1


def sqlite_path(url: str) -> Path:
    """The absolute path of the file that an address names.

    Raises: RunError for another kind of address.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise RunError("DEIT_STORE is the address of a SQLite file, such as sqlite:///runs.sqlite; set it to one.")
    return Path(parsed.database).resolve()


def gone(path: Path) -> str:
    """The message for a store that does not exist any more."""
    return (
        f"The store {path} is gone: it was moved or removed, and its runs with it. Put it back; or start a run, which "
        "creates a new store."
    )


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


@contextmanager
def _nothing() -> Iterator[Connection]:
    """An empty store."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        schema.metadata.create_all(connection)
        yield connection
    engine.dispose()


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    """Raises: StoreError where the database at `path` fails and it is not a bug."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        if (known := store_error(error, path)) is None:
            raise
        raise known from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own transactions would start too late; ours start at once
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
