"""The log of a run: what its worker writes into the run's folder while it trains. Knows files; nothing of runs."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from deit_core.plain_text import harmless

log = logging.getLogger("deit_core.worker")

_STDOUT, _STDERR = 1, 2
Log = Callable[[Path], AbstractContextManager[object]]


@contextlib.contextmanager
def records(path: Path) -> Iterator[int]:
    """Inside the block log records go to the file too; gives its descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(file)
    handler.setFormatter(_LogLine("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    log.addHandler(handler)
    try:
        yield file.fileno()
    finally:
        log.removeHandler(handler)
        with contextlib.suppress(OSError):  # a full disk must not fail a run that ended well
            file.close()


@contextlib.contextmanager
def all_output(path: Path) -> Iterator[None]:
    """From the block on all output of the process goes to the file, crashes included, until the next run's takes it."""
    with records(path) as descriptor:
        os.dup2(descriptor, _STDOUT)
        os.dup2(descriptor, _STDERR)
        yield


class _LogLine(logging.Formatter):
    """A record as text that steers no terminal: it may name files and classes."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))
