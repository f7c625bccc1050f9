"""Checks the store: whether it can be read and written, and is whole. Opens it for reading only."""

import os
import sqlite3
from contextlib import closing

from deit_core.doctor.finding import Finding
from deit_core.errors import DeitError
from deit_core.refusals import store_error
from deit_core.runs.database import sqlite_path


def store(url: str) -> Finding:
    """Args: url: the address of a SQLite file."""
    try:
        path = sqlite_path(url)
    except DeitError as error:
        return Finding("store", False, str(error))
    if not path.exists():
        return Finding("store", True, f"There is no store yet; the first run creates {path}.")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            (num_runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    except sqlite3.Error as error:
        return Finding("store", False, str(store_error(error, path) or error))
    if answer != "ok":
        todo = "replace it with a backup, or move it away"
        return Finding("store", False, f"The store {path} is damaged ({answer}); {todo}.")
    if not os.access(path, os.W_OK):
        todo = "give permission, for example with chmod u+rw"
        return Finding("store", False, f"The store {path} cannot be written; {todo}.")
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    return Finding("store", True, f"The store {path} is whole: {num_runs:,} runs, {size}.")
