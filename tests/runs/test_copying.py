"""A store is copied whole, from either kind into either kind, or not at all."""

import contextlib
import itertools
from pathlib import Path

import pytest
from sqlalchemy import inspect

from benchmarks.postgres import PostgresServer
from deit_core import presets
from deit_core.errors import RunError
from deit_core.runs import NewPoint, Status, Store, enqueue, open_store, queue, schema
from deit_core.runs.copying import copy_store

POINTS = [NewPoint("step", step, step / 7, 0.1 * step, {"train_loss": 1 / step, "lr": float("nan")}) for step in (1, 2)]


def fill(store: Store) -> list[str]:
    ids = [*enqueue(store, presets.digits_quick()), *enqueue(store, presets.smoke())]
    store.delete(ids.pop())  # its number is not given again
    for run_id in ids:
        store.add_points(run_id, POINTS)
    store.set_status(ids[0], Status.COMPLETED, "é “quoted” \N{GREEK SMALL LETTER ALPHA}")
    return ids


def content(store: Store) -> object:
    runs = store.runs()
    points = [[(point.seq, point.step, repr(point.metrics)) for point in store.points(run.id)] for run in runs]
    return runs, store.experiments(), points, [store.lifecycle(run.id) for run in runs]


def test_a_store_goes_to_a_server_and_back_unchanged(tmp_path: Path, postgres: PostgresServer) -> None:
    addresses = [f"sqlite:///{tmp_path}/a.sqlite", postgres.new_database(), f"sqlite:///{tmp_path}/b.sqlite"]
    with contextlib.closing(open_store(addresses[0])) as first:
        ids = fill(first)
        expected = content(first)
    tables: dict[str, int] = {}
    for source, target in itertools.pairwise(addresses):
        assert copy_store(source, target, tables.__setitem__) == len(ids)
        assert (tables["runs"], tables["metrics"]) == (3, 6)
        with contextlib.closing(open_store(target)) as copied:
            assert content(copied) == expected
    for address in addresses[1:]:
        with contextlib.closing(open_store(address)) as copied:
            (new,) = enqueue(copied, presets.smoke())
            copied.add_points(new, POINTS)
            assert copied.run(new).number > 3
            assert copied.points(new)[0].seq > copied.points(ids[0])[-1].seq


def test_a_store_with_a_running_run_and_one_that_has_runs_are_not_touched(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/a.sqlite", f"sqlite:///{tmp_path}/b.sqlite"
    with pytest.raises(RunError, match="There is no store at"):
        copy_store(source, target)
    with contextlib.closing(open_store(source)) as store:
        (run_id,) = enqueue(store, presets.smoke())
        entry = queue.register(store, 1)
        assert entry is not None
        queue.claim(store, entry[0])
        with pytest.raises(RunError, match="is running; stop it"):
            copy_store(source, target)
        store.set_status(run_id, Status.STOPPED)
    copy_store(source, target)
    with pytest.raises(RunError, match="has runs or imported curves already"):
        copy_store(source, target)


def test_a_row_that_the_server_does_not_take_leaves_it_empty(tmp_path: Path, postgres: PostgresServer) -> None:
    source, target = f"sqlite:///{tmp_path}/a.sqlite", postgres.new_database()
    with contextlib.closing(open_store(source)) as store:
        fill(store)
        with store.writing() as connection:
            connection.exec_driver_sql("UPDATE metrics SET step = 'many' WHERE seq = 2")
    with pytest.raises(RunError, match=r"A row of the table metrics cannot be copied .* store check"):
        copy_store(source, target)
    with contextlib.closing(open_store(target)) as empty:
        assert empty.runs() == []


def test_the_migrations_lead_to_the_tables_of_a_new_store(tmp_path: Path) -> None:
    """Of an old store that has the tables of version 1, as SQLite describes them."""
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/new.sqlite")) as new:
        assert not new.runs()
        with new.reading() as connection:
            assert schema.lacks(connection) == []
            assert schema.version_of(connection) == schema.VERSION
            indexes = inspect(connection).get_indexes("runs")
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/old.sqlite")) as old:
        fill(old)
        before = content(old)
        with old.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE pulses DROP COLUMN pid_namespace")
            connection.exec_driver_sql("DROP INDEX runs_in_queue")
            connection.exec_driver_sql("DROP TABLE run_writes")
            schema.set_version(connection, 1)
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/old.sqlite")) as upgraded:
        assert content(upgraded) == before
        with upgraded.reading() as connection:
            assert schema.lacks(connection) == []
            assert inspect(connection).get_indexes("runs") == indexes
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/old.sqlite.version-1")) as copy:
        assert content(copy) == before, "a copy from before stays"
