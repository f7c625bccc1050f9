"""Errors of the system, as one sentence that names the path and says what to do.

Knows the errors of files and of SQLite; every other error is a bug and keeps its traceback.
"""

import errno
import os
import shutil
import sqlite3
from pathlib import Path

from deit_core.errors import (
    DamagedStoreError,
    DeitError,
    FullStoreError,
    ReadOnlyStoreError,
    ResourceError,
    StoreError,
)

FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or one person's share of it
_LEAST_ROOM_BYTES = 2**16


def user_error(error: BaseException) -> DeitError | None:
    """The error that the user can fix, wherever it comes from; None where it is a bug."""
    if isinstance(error, DeitError):
        return error
    if isinstance(error, OSError) and error.errno is not None:  # a server's answer has no number
        is_about_a_file = error.filename is not None and not isinstance(error.filename, int)
        return ResourceError(refusal(error)) if is_about_a_file or error.errno in FULL else None
    return None


def refusal(error: OSError, path: Path | str = "", *, verb: str = "used") -> str:
    """The message on a file or folder.

    Args:
        path: the file or folder, where the error does not name it.
        verb: what failed: read, written, used.
    """
    where = os.fsdecode(error.filename2 or error.filename or path)  # of a rename the new name
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            what = f"{where} could not be written" if where else "a file could not be written"
            return (
                f"The disk is full: {what}. What was saved before is kept. Free some space, then resume or try again."
            )
        case errno.ENOENT:
            return (
                f"{where} is not there any more, or is a link to nothing; restore it, or remove the link, and start or "
                "resume the run."
            )
        case errno.EACCES | errno.EPERM:
            rights = "a+rX" if verb == "read" else "u+rwX"
            return (
                f"{where} cannot be {verb} by the user who runs DeiT Lab; give permission, for example with chmod "
                f"{rights}, or choose another."
            )
        case errno.ENOTDIR:
            return f"{where} cannot be {verb} because {_file_above(where)} is a file; choose another folder."
        case errno.EEXIST:
            return f"{where} cannot be used as a folder because it is a file; choose another folder."
        case errno.EISDIR:
            return f"{where} cannot be {verb} as a file since it is a folder; give the path of a file."
        case errno.ENAMETOOLONG:
            return f"{where} cannot be {verb} because its name is too long; choose a shorter one."
        case errno.EROFS:
            return f"{where} cannot be written because its disk is read-only; choose another folder."
        case _:
            return f"{where} cannot be {verb} ({error.strerror}); fix this and try again."


def store_error(error: BaseException, path: Path) -> StoreError | None:
    """The error for the user where SQLite, or SQLAlchemy, cannot use the store; else None."""
    cause = getattr(error, "orig", error)
    match getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF:  # the other bits are details
        case sqlite3.SQLITE_NOTADB:
            return damaged_store(f"{path} is not a store of runs but another kind of file")
        case sqlite3.SQLITE_CORRUPT:
            return damaged_store(f"The store {path} is damaged ({cause})")
        case sqlite3.SQLITE_FULL:
            return _full_store(path)
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR if _is_full(path.parent):
            return _full_store(path)
        case sqlite3.SQLITE_CANTOPEN if path.is_dir():
            what = f"The store {path} cannot be opened (it is a folder)"
            todo = "move it away, or choose another folder with --runs-dir or DEIT_RUNS_DIR"
        case sqlite3.SQLITE_CANTOPEN:
            what = f"The store {path} cannot be opened ({cause})"
            todo = "give permission to it and its folder (chmod u+rwX), or choose another folder with --runs-dir"
            return ReadOnlyStoreError(f"{what}; {todo}.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return read_only_store(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            what = f"The store {path} does not answer ({cause})"
            todo = "another program uses it: wait for it or end it, then try again"
        case sqlite3.SQLITE_IOERR:
            what = f"The store {path} could not be read or written ({cause})"
            todo = "repair the disk, or choose another folder with --runs-dir or DEIT_RUNS_DIR"
        case _ if isinstance(cause, sqlite3.OperationalError | sqlite3.DataError):
            return damaged_store(f"The store {path} cannot be used ({cause})")  # say it lacks a table's column
        case _:
            return None
    return StoreError(f"{what}; {todo}.")


def damaged_store(what: str) -> DamagedStoreError:
    """Args: what: the beginning of a sentence that names the store."""
    return DamagedStoreError(
        f"{what}; `python -m deit_core store rebuild` keeps it under another name and makes a new store from the "
        "folders of the runs, or choose another folder with --runs-dir."
    )


def newer_store(name: str, version: int, known: int) -> StoreError:
    """Args: version, known: of the store's tables, and the newest that this program knows."""
    return StoreError(
        f"The store {name} was written by a newer version of DeiT Lab (its tables have version {version}, this one "
        f"knows {known}); update DeiT Lab, or choose another folder with --runs-dir."
    )


def read_only_store(path: Path) -> ReadOnlyStoreError:
    return ReadOnlyStoreError(
        f"The store {path} cannot be written by the user who runs DeiT Lab, only read; give permission to it and its "
        "folder (chmod u+rwX), or choose another folder with --runs-dir."
    )


def _full_store(path: Path) -> FullStoreError:
    return FullStoreError(
        f"The disk with the store is full: {path} could not be written; delete runs or other files, then try again or "
        "resume."
    )


def _is_full(folder: Path) -> bool:
    """Whether the disk of a folder has less room than SQLite needs to begin."""
    try:
        return shutil.disk_usage(folder).free < _LEAST_ROOM_BYTES
    except OSError:
        return False


def _file_above(path: str) -> Path:
    """The part of a path that is a file where only a folder can be."""
    return next((parent for parent in Path(path).parents if os.path.isfile(parent)), Path(path))  # noqa: PTH113 raises never
