"""Progress of reading many files, reported about once a second.

Knows a clock; nothing of files, and nothing of what the caller does with the progress.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from deit_core.events import Reading

EVERY_S = 1.0

OnProgress = Callable[[Reading], None]
Item = TypeVar("Item")


def no_progress(_reading: Reading) -> None:
    pass


def with_progress(
    pieces: Iterable[Item], what: str, total: int, on_progress: OnProgress, *, piece: int = 1
) -> Iterator[Item]:
    """Yield the pieces, of `piece` images each, and report progress. What `on_progress` raises ends the reading."""
    start = last_report = time.monotonic()
    for count, item in enumerate(pieces, start=1):
        yield item
        done, now = count * piece, time.monotonic()
        if done < total and now - last_report >= EVERY_S:
            last_report = now
            on_progress(Reading(what, done, total, (now - start) / done * (total - done)))
    if last_report > start:
        on_progress(Reading(what, total, total, 0.0))
