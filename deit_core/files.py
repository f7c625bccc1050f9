"""Writing files so that a reader finds the old content or the new, never half of it."""

import os
import threading
import time
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, rename; then flush the folder, so that the rename survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    if os.name == "posix":  # Windows cannot open folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


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
