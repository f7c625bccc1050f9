"""Copies a store into another one, of either kind, row by row.

Knows tables; nothing of what is in them, and nothing of the folders of the runs, which stay where they are.
"""

from collections.abc import Callable, Iterator
from contextlib import closing

from sqlalchemy import Connection, Table, column, func, insert, select, table
from sqlalchemy.exc import DBAPIError, StatementError

from deit_core.errors import RunError
from deit_core.runs import schema
from deit_core.runs.open_database import open_database
from deit_core.runs.records import Status

_BLOCK = 1000
_OF_WORKERS = (schema.workers, schema.pulses, schema.worker_groups, schema.nodes)  # processes do not move along
_LEFT = (*_OF_WORKERS, schema.run_writes)  # which each store notes for itself
_TABLES = [one for one in schema.metadata.sorted_tables if one not in _LEFT]


def copy_store(source: str, target: str, on_table: Callable[[str, int], None] = lambda name, rows: None) -> int:
    """Copy all runs, with their numbers, points and history, in one transaction: all or nothing.

    Args:
        source, target: addresses of stores; there may be none at `target` yet.
        on_table: called with the name and the number of rows of each table that is copied.
    Returns: the number of runs.
    Raises: RunError where there is no store at `source`, a run of it is running, `target` has runs or curves, or a row
        cannot be copied; StoreError where one of them cannot be opened.
    """
    with closing(open_database(source, create=False)) as old, closing(open_database(target)) as new:
        if not old.is_there:
            raise RunError(f"There is no store at {old.name}; check the address.")
        with old.reading() as reading, new.writing(anew=True) as writing:
            if reading.scalar(select(schema.runs.c.number).where(schema.runs.c.status == Status.RUNNING).limit(1)):
                raise RunError(f"A run of the store {old.name} is running; stop it, then copy.")
            if any(writing.scalar(select(one).limit(1)) for one in (schema.runs.c.number, schema.imported_curves.c.id)):
                raise RunError(
                    f"The store {new.name} has runs or imported curves already; give the address of an empty one."
                )
            num_runs = 0
            for one in _TABLES:
                num_rows = _copy(one, reading, writing)
                on_table(one.name, num_rows)
                num_runs = num_rows if one is schema.runs else num_runs
            _count_on(writing)
    return num_runs


def _copy(of: Table, reading: Connection, writing: Connection) -> int:
    """Values go over as they are written: a damaged one must not change on its way."""
    names = [one.name for one in of.columns]
    bare = table(of.name, *map(column, names))
    rows = reading.execution_options(stream_results=True).execute(select(bare))
    num_rows = 0
    for block in rows.mappings().partitions(_BLOCK):
        try:
            writing.execute(insert(bare), [dict(row) for row in block])
        except (DBAPIError, StatementError) as error:
            raise RunError(
                f"A row of the table {of.name} cannot be copied ({str(error.orig).splitlines()[0]}); "
                "`python -m deit_core store check` names the runs that are damaged: delete these first."
            ) from error
        num_rows += len(block)
    return num_rows


def _count_on(writing: Connection) -> None:
    """Let new rows get numbers above those that were copied; SQLite does so by itself."""
    if writing.dialect.name != "postgresql":
        return
    for of, name in _counters():
        highest = writing.scalar(select(func.max(of.c[name])))
        if highest is not None:
            sequence = func.pg_get_serial_sequence(of.name, name)
            writing.execute(select(func.setval(sequence, highest)))


def _counters() -> Iterator[tuple[Table, str]]:
    for of in _TABLES:
        for one in of.columns:
            if one is of.autoincrement_column:
                yield of, one.name
