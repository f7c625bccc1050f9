"""Writing files so that a reader finds the old content or the new, never half of it; and checks that a file exists."""

import errno
import os
import re
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from glob import escape
from pathlib import Path
from typing import BinaryIO

import psutil

from deit_core.errors import ResourceError
from deit_core.refusals import FULL, refusal

_TEMPORARY = re.compile(r"\..+\.(\d+)-\d+\.part")  # the number of the process, and that of its thread


def write_atomically(
    path: Path,
    content: bytes | memoryview,
    *,
    replace: bool = True,
    makes_folder: bool = True,
    previous: Path | None = None,
) -> None:
    """Write a temporary file, flush it to the disk, rename it; then flush the folder, to survive a power cut.

    A link stays, and the file that it leads to is replaced. A device or a pipe is written to as it is. Temporary
    files of this file that a killed process has left are removed.

    Args:
        replace: if False, an existing file stays; if several processes write at once, the first one wins.
        makes_folder: if False, the file's folder has to exist.
        previous: the name that the old file gets, in the same folder; a kill may leave it without a new file.
    Raises: ResourceError where the disk is full; the old file is still there then, whole. ResourceError also where
        there is something that cannot be written to. FileExistsError where the file is there and should stay.
        FileNotFoundError where its folder has to be there and is not.
    """
    with _naming(path):
        kind = _kind(path)
        if kind and not stat.S_ISREG(kind):
            _write_into(path, kind, content)
            return
        if makes_folder and not path.is_symlink():
            _make(path.parent)
        if not replace:
            rename = _create
        elif previous is None:
            rename = _replace
        else:
            rename = partial(_rotate, previous)
        target = Path(os.path.realpath(path))
        _write(target, content, rename)
        remove_leftovers(target.parent, target.name)


def append_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Add lines to a file and flush it to the disk; a last line that was never finished is removed first.

    Raises: ResourceError where the disk is full; FileNotFoundError where the file's folder does not exist.
    """
    with _naming(path):
        is_new = not path.exists()
        with path.open("a+b") as file:
            if file.tell() and not _ends_with_newline(file):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _flush_folder(path.parent)


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove temporary files of processes that ended before they were finished; those of a living process stay.

    Args: name: of the file that they were to become; empty for every file of the folder.
    """
    for file in folder.glob(f".{escape(name) or '*'}.*.part"):
        if (match := _TEMPORARY.fullmatch(file.name)) and not _may_write(int(match[1]), file):
            file.unlink(missing_ok=True)


def remove_left_folders(folder: Path, prefix: str) -> None:
    """Remove folders named `prefix`, the number of a process, and more, whose process has ended."""
    for path in folder.glob(f"{escape(prefix)}*-*"):
        pid = path.name.removeprefix(prefix).split("-")[0]
        if pid.isdecimal() and path.is_dir() and not _may_write(int(pid), path):
            shutil.rmtree(path, ignore_errors=True)


def _may_write(pid: int, file: Path) -> bool:
    """Whether a process has been alive since a file was written; numbers of processes are used again."""
    try:
        return psutil.Process(pid).create_time() < file.stat().st_mtime + 1
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True


def _ends_with_newline(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def is_there(path: Path) -> bool:
    """Whether a file or folder exists at a path that a user wrote; the path may be anything, even too long."""
    try:
        return path.exists()
    except OSError:
        return False


def _kind(path: Path) -> int:
    """What is at a path, links followed, as `stat` has it; 0 for nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0


def _write_into(path: Path, kind: int, content: bytes | memoryview) -> None:
    """Write to a device or a pipe: a file with its name would take its place."""
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)):
        raise ResourceError(f"{path} is a socket or a disk, which cannot be written as a file; give another path.")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # else it would wait for a reader
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise ResourceError(
            f"No program reads from {path}; start the one that should, or give the path of a file."
        ) from None
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let errors name the path of the caller, not that of a temporary file; a full disk is a ResourceError."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        if error.errno not in FULL:
            raise
        raise ResourceError(refusal(error)) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # which would mean that the file in it exists
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _write(path: Path, content: bytes | memoryview, rename: Callable[[Path, Path], None]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rotate(previous: Path, temporary: Path, path: Path) -> None:
    if path.exists():
        _replace(path, previous)
    _replace(temporary, path)


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
