"""The store in a SQLite file: how it is opened, and files of older versions."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from deit_core import presets
from deit_core.errors import RunError
from deit_core.runs import Store, enqueue, open_store, schema
from deit_core.spec import RunSpec


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'runs.sqlite'}")


def test_sqlite_is_in_wal_mode(store: Store) -> None:
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_an_address_of_neither_kind_is_refused() -> None:
    for url in ("mysql://localhost/x", "runs.sqlite", "sqlite://"):
        with pytest.raises(RunError, match="address of a SQLite file"):
            open_store(url)


def test_an_experiment_of_an_older_version_has_no_spec_but_is_there(store: Store) -> None:
    enqueue(store, presets.digits_quick())
    with store.writing() as connection:
        schema.experiment_specs.drop(connection)
        connection.exec_driver_sql("PRAGMA user_version = 0")
    older = open_store(store.database.url)
    (experiment,) = older.experiments()
    assert (experiment.name, experiment.spec) == ("digits-quick", None)
    enqueue(older, presets.digits_quick())
    assert [one.spec for one in older.experiments()] == [None, presets.digits_quick()]


def test_runs_of_an_old_store_without_numbers_get_some(tmp_path: Path, tiny: RunSpec) -> None:
    path = tmp_path / "old.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as old:
        columns = [column for column in schema.runs.columns if column.name not in ("id", "number")]
        rest = ", ".join(f"{column.name} {column.type.compile()}" for column in columns)
        old.execute(f"CREATE TABLE runs (id VARCHAR(12) PRIMARY KEY, number INTEGER, {rest})")
        values = "stop_requested, created_at, step, total_steps, epoch, results, message, status, spec"
        for run_id, number in (("a1", 7), ("a2", None), ("a3", None)):
            old.execute(
                f"INSERT INTO runs (id, number, {values}) VALUES (?, ?, 0, 0, 0, 0, 0, '{{}}', '', 'completed', ?)",
                (run_id, number, tiny.model_dump_json()),
            )
        old.commit()
    store = open_store(f"sqlite:///{path}")
    (new,) = enqueue(store, tiny)
    runs = store.runs()
    assert [run.id for run in runs] == [new, "a3", "a2", "a1"]
    assert len({run.number for run in runs}) == 4
    assert runs[-1].number == 7
