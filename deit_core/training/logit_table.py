"""Tables of logits on disk, shared by processes: a row for each view of each training image, filled as views occur.

    <home>/lock                   held while a table is opened, made or deleted
    <home>/<key>/key.json         the facts that the logits depend on; its time is that of the table's last use
    <home>/<key>/in-use           locked by each process that uses the table
    <home>/<key>/logits.bin       (R, K) float32 or float16
    <home>/<key>/seals.bin        (R,) a checksum of each row's bits, 0 where no row was written yet

Rows are read and written without a lock. A row counts only if its seal matches exactly the bits that were read, so a
half-written row does not count. The key names all that logits depend on, so two writers of a row write the same bits;
if a GPU rounds differently, the seal refuses a mixture.
Knows files and numbers; nothing of teachers or images.

    R rows, B of them at once, K classes
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.file_locks import lock, locked
from deit_core.files import write_atomically

_KEY, _IN_USE, _LOGITS, _SEALS = "key.json", "in-use", "logits.bin", "seals.bin"
_SPARE_BYTES = 10**9  # of the disk: a table must not take the space that checkpoints need
_ODD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, customary for multiplicative hashing


class NoRoomError(Exception):
    """There is no space for a table, under the cap or on the disk; the text says where."""


class LogitTable:
    """One open table. Not for several threads; processes each open their own.

    Args:
        shape: (R, K).
        dtype: "float32" or "float16".
        lock: a file descriptor that is closed along with the table.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], dtype: str, lock: int) -> None:
        self.folder, self._lock = folder, lock
        self._logits: NDArray[Any] = np.asarray(np.memmap(folder / _LOGITS, dtype, "r+", shape=shape))
        self._seals: NDArray[np.uint32] = np.asarray(np.memmap(folder / _SEALS, np.uint32, "r+", shape=shape[:1]))
        self._factors = np.cumprod(np.full(shape[1], _ODD, np.uint64))

    @property
    def size_bytes(self) -> int:
        return self._logits.nbytes + self._seals.nbytes

    def share_filled(self) -> float:
        """The share of rows that are written."""
        return np.count_nonzero(self._seals) / len(self._seals)

    def read(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) float32 of `rows` (B,), and whether each is known (B,); other logits have no meaning."""
        numbers = rows.numpy()
        logits = self._logits[
            numbers
        ]  # a copy: the checked values are returned, even if another process writes meanwhile
        known = self._seals[numbers] == self._seal(numbers, logits)
        return torch.from_numpy(logits).float(), torch.from_numpy(known)

    def write(self, rows: Tensor, logits: Tensor) -> None:
        """Store the logits (B, K) of `rows` (B,)."""
        numbers, values = rows.numpy(), logits.numpy().astype(self._logits.dtype)
        self._logits[numbers] = values
        self._seals[numbers] = self._seal(numbers, values)

    def close(self) -> None:
        """Allow others to delete the table. Its last use is now."""
        self._logits, self._seals = self._logits[:0].copy(), self._seals[:0].copy()  # no longer maps the files
        with suppress(OSError):  # it was deleted by hand
            os.utime(self.folder / _KEY)
        os.close(self._lock)

    def _seal(self, numbers: NDArray[np.int64], logits: NDArray[Any]) -> NDArray[np.uint32]:
        """A checksum (B,) of each row's bits and number, so that rows cannot be confused; odd, so never 0."""
        words = logits.view(np.dtype(f"u{logits.itemsize}")).astype(np.uint64)
        mixed = words @ self._factors + numbers.astype(np.uint64) * np.uint64(_ODD)
        return (mixed >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def open_table(
    home: Path, facts: Mapping[str, Any], shape: tuple[int, int], dtype: str, cap_bytes: float
) -> LogitTable:
    """Open the table for `facts`; creates an empty one if there is none.

    While all tables in `home` together are larger than the cap, unused tables are deleted, the least recently used
    first.

    Args:
        facts: all that the logits depend on, as JSON can hold it.
        shape: (R, K).
    Raises: NoRoomError; OSError where the folder cannot be used.
    """
    text = json.dumps({**facts, "shape": shape, "dtype": dtype}, indent=2, sort_keys=True)
    folder = home / hashlib.sha256(text.encode()).hexdigest()[:16]
    sizes = {_LOGITS: shape[0] * shape[1] * np.dtype(dtype).itemsize, _SEALS: shape[0] * 4}
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / "lock"):
        _make_room(home, folder, sum(sizes.values()), cap_bytes)
        folder.mkdir(exist_ok=True)
        with ExitStack() as undo:
            in_use = lock(folder / _IN_USE, shared=True)
            undo.callback(os.close, in_use)
            for name, size in sizes.items():
                _reserve(folder / name, size)
            if (folder / _KEY).exists():
                os.utime(folder / _KEY)
            else:
                write_atomically(folder / _KEY, text.encode())
            table = LogitTable(folder, shape, dtype, in_use)
            undo.pop_all()
            return table


def _make_room(home: Path, folder: Path, size: int, cap_bytes: float) -> None:
    """Delete tables other than `folder` until it fits under the cap; check that the disk has space for it too."""
    tables = [path.parent for path in home.glob(f"*/{_LOGITS}") if path.parent != folder]
    excess = size + sum(_size_of(path) for path in tables) - cap_bytes
    with ExitStack() as locks:
        unused = [path for path in tables if _try_lock(path, locks)] if excess > 0 else []
        if excess > sum(_size_of(path) for path in unused):
            in_use = ", others in use included" if size <= cap_bytes else ""
            raise NoRoomError(f"its {_gb(size)} do not fit into the {_gb(cap_bytes)} of DEIT_LOGITS_GB{in_use}")
        for path in sorted(unused, key=_last_use):
            if excess > 0:
                excess -= _size_of(path)
                shutil.rmtree(path)
    missing = size - sum(_num_reserved(path) for path in (folder / _LOGITS, folder / _SEALS) if path.exists())
    free = shutil.disk_usage(home).free
    if missing > 0 and free < missing + _SPARE_BYTES:
        raise NoRoomError(f"its {_gb(size)} do not fit on the disk, which has {_gb(free)} left")


def _reserve(path: Path, size: int) -> None:
    """Create a file of `size` zeros, or extend an existing one.

    Its blocks are allocated now: a file with holes would end the process (SIGBUS) if the disk is full later.
    """
    path.touch()
    if _num_reserved(path) == size:
        return
    with path.open("r+b") as file:
        before = os.fstat(file.fileno()).st_size
        try:
            if sys.platform == "linux":
                os.posix_fallocate(file.fileno(), 0, size)  # extends the file too, and keeps its contents
            else:
                file.truncate(size)
        except BaseException:
            file.truncate(before)
            raise


def _num_reserved(path: Path) -> int:
    """Allocated bytes of a file. A compressed file has fewer than its size; allocating again does no harm."""
    facts = path.stat()
    return min(facts.st_size, facts.st_blocks * 512) if sys.platform == "linux" else facts.st_size


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / _LOGITS, folder / _SEALS) if path.exists())


def _last_use(folder: Path) -> float:
    """Seconds since 1970 of the last use; an unfinished table comes first."""
    file = folder / _KEY
    return file.stat().st_mtime if file.exists() else 0.0


def _try_lock(folder: Path, locks: ExitStack) -> bool:
    """Whether no process uses the table; then none can until `locks` are closed."""
    if sys.platform == "win32":
        return False  # unknown: there tables are deleted by hand
    try:
        held = lock(folder / _IN_USE, shared=False, wait=False)
    except BlockingIOError:
        return False
    locks.callback(os.close, held)
    return True


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.2g} GB"
