"""Writing files so that a reader finds the old content or the new, never half of it; and checks that a file exists."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from deit_core.errors import ResourceError
from deit_core.refusals import FULL, refusal


def write_atomically(path: Path, content: bytes, *, replace: bool = True, makes_folder: bool = True) -> None:
    """Write a temporary file, flush it to the disk, rename it; then flush the folder, to survive a power cut.

    Args:
        replace: if False, an existing file stays; if several processes write at once, the first one wins.
        makes_folder: if False, the file's folder has to exist.
    Raises: ResourceError where the disk is full; the old file is still there then, whole. FileExistsError where it is
        there and should stay. FileNotFoundError where its folder has to be there and is not.
    """
    try:
        if makes_folder:
            _make(path.parent)
        _write(path, content, _replace if replace else _create)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # the path of the caller, not of the temporary file
        if error.errno not in FULL:
            raise
        raise ResourceError(refusal(error)) from error


def is_there(path: Path) -> bool:
    """Whether a file or folder exists at a path that a user wrote; the path may be anything, even too long."""
    try:
        return path.exists()
    except OSError:
        return False


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # which would mean that the file in it exists
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _write(path: Path, content: bytes, rename: Callable[[Path, Path], None]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # Windows cannot open folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _create(temporary: Path, path: Path) -> None:
    """Give the file its name unless another file has it; `temporary` is removed afterwards."""
    try:
        os.link(temporary, path)
    except OSError:  # another has it, or the file system knows no links
        if path.exists():
            raise FileExistsError(path) from None
        _replace(temporary, path)


def _replace(temporary: Path, path: Path, patience_s: float = 5.0) -> None:
    """Rename; Windows refuses while another process reads the old file, so wait a little."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            temporary.replace(path)
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
