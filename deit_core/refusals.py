"""Errors of the system, as one sentence that names the path and says what to do.

Knows the errors of files and of SQLite; every other error is a bug and keeps its traceback.
"""

import errno
import os
import sqlite3
from pathlib import Path

from deit_core.errors import DeitError, ResourceError, StoreError

FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or one person's share of it


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
            what = f"{path} is not a store of runs but another kind of file"
            todo = "move it away, or choose another folder with --runs-dir or DEIT_RUNS_DIR"
        case sqlite3.SQLITE_CORRUPT:
            what, todo = f"The store {path} is damaged ({cause})", "replace it with a backup, or move it away"
        case sqlite3.SQLITE_CANTOPEN:
            reason = "it is a folder" if path.is_dir() else str(cause)
            what = f"The store {path} cannot be opened ({reason})"
            todo = "fix this, or choose another folder with --runs-dir or DEIT_RUNS_DIR"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            what = f"The store {path} cannot be written by the user who runs DeiT Lab"
            todo = "give permission to it and its folder (chmod u+rwX), or choose another folder with --runs-dir"
        case sqlite3.SQLITE_FULL:
            what, todo = f"The disk with the store is full: {path} could not be written", "free some space, then resume"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            what = f"The store {path} does not answer ({cause})"
            todo = "another program uses it: wait for it or end it, then try again"
        case sqlite3.SQLITE_IOERR:
            what = f"The store {path} could not be read or written ({cause})"
            todo = "repair the disk, or choose another folder with --runs-dir or DEIT_RUNS_DIR"
        case _ if isinstance(cause, sqlite3.OperationalError):  # say it lacks a table's column
            what = f"The store {path} cannot be used ({cause})"
            todo = "it may belong to another program or version: move it away, or choose another folder with --runs-dir"
        case _:
            return None
    return StoreError(f"{what}; {todo}.")


def _file_above(path: str) -> Path:
    """The part of a path that is a file where only a folder can be."""
    return next((parent for parent in Path(path).parents if os.path.isfile(parent)), Path(path))  # noqa: PTH113 raises never
