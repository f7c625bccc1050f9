"""Stores that were broken in many ways, from a sound one with three runs.

The runs are numbers 1 (queued), 2 (completed) and 3 (stopped). What breaks a row breaks that of run 1.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

Break = Callable[[Path], object]


def sql(*statements: str) -> Break:
    """A store that these statements have changed, whatever its tables require."""

    def change(path: Path) -> None:
        with closing(connect(path)) as store:
            for statement in ("PRAGMA ignore_check_constraints = ON", *statements):
                store.execute(statement)
            store.commit()

    return change


def row(column: str, value: str) -> Break:
    """A value in the row of run 1 that the table itself would refuse."""

    def change(path: Path) -> None:
        with closing(connect(path)) as store:
            (create,) = store.execute("SELECT sql FROM sqlite_master WHERE name = 'runs'").fetchone()
            store.execute("PRAGMA writable_schema = ON")
            store.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'runs'", [create.replace(" NOT NULL", "")])
            store.commit()
        with closing(connect(path)) as store:
            store.execute(f"UPDATE runs SET {column} = {value} WHERE number = 1")
            store.commit()

    return change


def words(path: Path) -> None:
    path.write_text("these are words, and many of them. " * 200)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(path: Path) -> None:
    """Zeros in every page but the first, which holds the tables' definitions."""
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)


# As a whole: nothing of it can be shown.
FILES: dict[str, Break] = {
    "not a store": words,
    "a folder": a_folder,
    "cut in half": cut,
    "overwritten": overwritten,
    "lacks a column": sql("ALTER TABLE runs DROP COLUMN results"),
    "lacks a column of a table for workers": sql("ALTER TABLE workers DROP COLUMN slot"),
    "of another program": sql("DROP TABLE runs", "CREATE TABLE runs (id, colour)"),
    "of a newer version": sql("PRAGMA user_version = 99"),
}

# One row: the others are shown, and it can be deleted.
ROWS: dict[str, Break] = {
    "an unknown status": row("status", "'paused'"),
    "no status": row("status", "NULL"),
    "a spec that is not JSON": row("spec", "'{'"),
    "no spec": row("spec", "NULL"),
    "a spec of another version": row("spec", """'{"name": "old", "version": 0}'"""),
    "results that are not JSON": row("results", "'{'"),
    "results that are no numbers": row("results", """'{"test_accuracy": "high"}'"""),
    "results that are a list": row("results", "'[1]'"),
    "no results": row("results", "NULL"),
    "a step that is a word": row("step", "'many'"),
    "no steps": row("total_steps", "NULL"),
    "no time": row("created_at", "NULL"),
    "a message that is no text": row("message", "x'00ff'"),
    "an id that leads elsewhere": row("id", "'../home'"),
    "no id": row("id", "NULL"),
}

# Around the runs, which are all shown.
AROUND: dict[str, Break] = {
    "points that are not JSON": sql(
        "INSERT INTO metrics (run_id, kind, step, epoch, elapsed_s, metrics) "
        "SELECT id, 'step', 1, 1.0, 1.0, '{' FROM runs"
    ),
    "points that are no numbers": sql(
        "INSERT INTO metrics (run_id, kind, step, epoch, elapsed_s, metrics) "
        """SELECT id, 'epoch', 'x', 1.0, 1.0, '{"train_loss": "low"}' FROM runs"""
    ),
    "an unknown status in the history": sql(
        "INSERT INTO lifecycle (run_id, at, status, message) SELECT id, 1.0, 'paused', '' FROM runs"
    ),
    "a worker without a process": sql(
        "INSERT INTO workers (id, host, pid, process_started_at, heartbeat_at) VALUES ('w', 'h', 'p', 'x', 'y')"
    ),
    "text that is not UTF-8": row("message", "CAST(x'ff41' AS TEXT)"),
    "a need of a run that is gone": sql("INSERT INTO dependencies SELECT id, 'gone' FROM runs WHERE number = 1"),
    "an experiment without a spec": sql("INSERT INTO experiments VALUES ('e', x'00', 'd', 'when')"),
}
