"""Results kept in memory for all visitors, up to a number and a size; of more, those used last. Knows only sizes."""

from collections.abc import Callable, Hashable
from threading import Condition
from typing import Any, ParamSpec, TypeVar

from cachetools import LRUCache, cached
from cachetools.keys import hashkey

P = ParamSpec("P")
V = TypeVar("V")


def kept(
    max_entries: int, max_bytes: int, num_bytes: Callable[[Any], int]
) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """A decorator: a function's results are kept, and threads that ask for the same one wait for the first.

    The function's last argument is not part of the key if there are several: it is what the result is made of. A result
    that is larger than all that may be kept is made again each time.
    """

    def counted(value: V) -> float:
        return max(num_bytes(value), max_bytes / max_entries)  # so that there is room for so many

    def key(first: Hashable, *others: Hashable) -> Hashable:
        return hashkey(first, *others[:-1])

    return cached(LRUCache(max_bytes, counted), key, condition=Condition())
