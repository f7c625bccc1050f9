"""Says how far it is, while many files are read.

Knows a clock; nothing of files, and nothing of who hears it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from deit_core.events import Reading

EVERY_S = 1.0

Tell = Callable[[Reading], None]
Item = TypeVar("Item")


def silently(_reading: Reading) -> None:
    pass


def told(pieces: Iterable[Item], what: str, total: int, tell: Tell, *, piece: int = 1) -> Iterator[Item]:
    """The pieces, of `piece` images each, as they come. What `tell` raises ends the reading."""
    began = spoken = time.monotonic()
    for count, item in enumerate(pieces, start=1):
        yield item
        done, now = count * piece, time.monotonic()
        if done < total and now - spoken >= EVERY_S:
            spoken = now
            tell(Reading(what, done, total, (now - began) / done * (total - done)))
    if spoken > began:
        tell(Reading(what, total, total, 0.0))
