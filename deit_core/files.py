"""Writing files so that a reader finds the old content or the new, never half of it; and looking for one."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from deit_core.errors import ResourceError
from deit_core.refusals import FULL, refusal


def write_atomically(path: Path, content: bytes, *, replace: bool = True, makes_folder: bool = True) -> None:
    """Write beside, flush to the disk, rename; then flush the folder, so that the rename survives a power cut.

    Args:
        replace: else a file that is there already stays; of several who write at once the first is heard.
        makes_folder: else the file's folder has to be there.
    Raises: ResourceError where the disk is full; the old file is still there then, whole. FileExistsError where it is
        there and should stay. FileNotFoundError where its folder has to be there and is not.
    """
    try:
        if makes_folder:
            _make(path.parent)
        _write(path, content, _replace if replace else _create)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # what was asked for, not the file beside it
        if error.errno not in FULL:
            raise
        raise ResourceError(refusal(error)) from error


def is_there(path: Path) -> bool:
    """Whether a file or folder lies at a path that a person wrote; it may be anything, say too long for a name."""
    try:
        return path.exists()
    except OSError:
        return False


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # which would mean that the file in it is there
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _write(path: Path, content: bytes, rename: Callable[[Path, Path], None]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        rename(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    if os.name == "posix":  # Windows cannot open folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _create(beside: Path, path: Path) -> None:
    """Give the file its name unless another has it; `beside` goes afterwards."""
    try:
        os.link(beside, path)
    except OSError:  # another has it, or the file system knows no links
        if path.exists():
            raise FileExistsError(path) from None
        _replace(beside, path)


def _replace(beside: Path, path: Path, patience_s: float = 5.0) -> None:
    """Rename; Windows refuses as long as somebody reads the old file, so wait for them a little."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            beside.replace(path)
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
