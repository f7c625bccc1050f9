"""What the system refuses, as one sentence that names the path and says what to do.

Knows the errors of files and of SQLite; whatever else goes wrong is a mistake of the program and keeps its traceback.
"""

import errno
import os
import sqlite3
from pathlib import Path

from deit_core.errors import DeitError, ResourceError, StoreError

FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or one person's share of it


def user_error(error: BaseException) -> DeitError | None:
    """What a person can mend of an error, wherever it comes from; None where it is a mistake of the program."""
    if isinstance(error, DeitError):
        return error
    if isinstance(error, OSError) and error.errno is not None:  # a server's answer has no number
        is_about_a_file = error.filename is not None and not isinstance(error.filename, int)
        return ResourceError(refusal(error)) if is_about_a_file or error.errno in FULL else None
    return None


def refusal(error: OSError, path: Path | str = "", *, verb: str = "used") -> str:
    """The sentence on a file or folder.

    Args:
        path: what was asked for, where the error does not say.
        verb: what could not be done with it: read, written, used.
    """
    where = os.fsdecode(error.filename2 or error.filename or path)  # of a rename the new name
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            what = f"{where} could not be written" if where else "a file could not be written"
            return f"The disk is full: {what}, and what was saved before is kept. Make room, then resume or try again."
        case errno.ENOENT:
            return (
                f"{where} is not there any more, or is a link to nothing; restore it, or remove the link, and start or "
                "resume the run."
            )
        case errno.EACCES | errno.EPERM:
            rights = "a+rX" if verb == "read" else "u+rwX"
            return (
                f"{where} may not be {verb} by the user who runs this; give it permission, say by chmod {rights}, or "
                "choose another."
            )
        case errno.ENOTDIR:
            return f"{where} cannot be {verb} since {_file_above(where)} is a file; choose another folder."
        case errno.EEXIST:
            return f"{where} cannot be used as a folder since it is a file; choose another folder."
        case errno.EISDIR:
            return f"{where} cannot be {verb} as a file since it is a folder; give the path of a file."
        case errno.ENAMETOOLONG:
            return f"{where} cannot be {verb} since its name is too long; choose a shorter one."
        case errno.EROFS:
            return f"{where} cannot be written since its disk may only be read; choose another folder."
        case _:
            return f"{where} cannot be {verb} ({error.strerror}); mend that and try again."


def store_error(error: BaseException, path: Path) -> StoreError | None:
    """What a person can mend where SQLite, or SQLAlchemy for it, gives up on the store; else None."""
    cause = getattr(error, "orig", error)
    match getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF:  # the other bits are details
        case sqlite3.SQLITE_NOTADB:
            what = f"{path} is no store of runs but a file of another kind"
            todo = "move it away, or choose another folder by --runs-dir or DEIT_RUNS_DIR"
        case sqlite3.SQLITE_CORRUPT:
            what, todo = f"The store {path} is damaged ({cause})", "put a copy of it in its place, or move it away"
        case sqlite3.SQLITE_CANTOPEN:
            reason = "it is a folder" if path.is_dir() else str(cause)
            what = f"The store {path} cannot be opened ({reason})"
            todo = "mend that, or choose another folder by --runs-dir or DEIT_RUNS_DIR"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            what = f"The store {path} may not be written by the user who runs this"
            todo = "give it and its folder permission, say by chmod u+rwX, or choose another folder by --runs-dir"
        case sqlite3.SQLITE_FULL:
            what, todo = f"The disk with the store is full: {path} could not be written", "make room, then resume"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            what = f"The store {path} does not answer ({cause})"
            todo = "another program holds it: wait for that or end it, then try again"
        case sqlite3.SQLITE_IOERR:
            what = f"The store {path} could not be read or written ({cause})"
            todo = "mend the disk, or choose another folder by --runs-dir or DEIT_RUNS_DIR"
        case _ if isinstance(cause, sqlite3.OperationalError):  # say it lacks a table's column
            what = f"The store {path} cannot be used ({cause})"
            todo = "it may be another program's or version's: move it away, or choose another folder by --runs-dir"
        case _:
            return None
    return StoreError(f"{what}; {todo}.")


def _file_above(path: str) -> Path:
    """The part of a path that is a file where only a folder can be."""
    return next((parent for parent in Path(path).parents if os.path.isfile(parent)), Path(path))  # noqa: PTH113 raises never
