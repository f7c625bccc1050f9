"""Which kind of database an address names."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from deit_core.errors import RunError
from deit_core.runs.database import Database
from deit_core.runs.sqlite_database import SqliteDatabase, sqlite_path


def open_database(url: str, *, create: bool = True, upgrade: bool = False) -> Database:
    """Args:
        create: make what is missing; else it is made when the first run is written.
        upgrade: bring the tables of an older version on a server to this one; those of a file always are.

    Raises: RunError for an address of neither kind, or without the driver; StoreError where it cannot be opened.
    """
    parsed = _parse(url)
    if parsed is None or parsed.get_backend_name() != "postgresql":
        return SqliteDatabase(url, create=create)
    try:
        from deit_core.runs.postgres_database import PostgresDatabase

        return PostgresDatabase(
            parsed.set(drivername="postgresql+psycopg"), name_of(url), create=create, upgrade=upgrade
        )
    except ModuleNotFoundError:
        raise RunError(
            "DEIT_STORE is on a PostgreSQL server, and its driver is not installed; run python -m pip install "
            '"psycopg[binary]".'
        ) from None


def is_on_a_server(url: str) -> bool:
    parsed = _parse(url)
    return parsed is not None and parsed.get_backend_name() == "postgresql"


def name_of(url: str) -> str:
    """What messages call a store: the path of a file, or a server's address without user and password.

    Raises: RunError for an address of neither kind.
    """
    parsed = _parse(url)
    if parsed is None or not is_on_a_server(url):
        return str(sqlite_path(url))
    return URL.create("postgresql", host=parsed.host, port=parsed.port, database=parsed.database).render_as_string()


def _parse(url: str) -> URL | None:
    try:
        return make_url(url)
    except ArgumentError:
        return None
