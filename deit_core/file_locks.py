"""Locks between processes of one runs folder: each is a file, and ends with the process that holds it.

Windows has no such locks; there none is held.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock, and hold it for a block of code."""
    held = lock(path, shared=False)
    try:
        yield
    finally:
        os.close(held)


def lock(path: Path, *, shared: bool, wait: bool = True) -> int:
    """A file descriptor that holds a lock until it is closed, or its process is gone.

    Raises: BlockingIOError when it should not wait and another process holds it.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if sys.platform != "win32":
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BaseException:
        os.close(file)
        raise
    return file
