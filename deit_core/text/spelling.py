"""The known name that is closest to a misspelt one. Knows letters; nothing of fields."""

from collections.abc import Iterable
from difflib import SequenceMatcher

_LONGEST = 200  # letters of a path that can be a misspelt one
_LIKE = 0.65  # of two last words that may be one, on difflib's scale from 0 to 1


def nearest(path: str, known: Iterable[str]) -> str:
    """The known path, such as optim.lr, closest by its last word, then as a whole; empty where none is close."""
    if len(path) > _LONGEST:
        return ""

    def likeness(other: str) -> tuple[float, float]:
        return _likeness(path.rpartition(".")[2], other.rpartition(".")[2]), _likeness(path, other)

    closest = max(known, key=likeness, default="")
    return closest if likeness(closest)[0] >= _LIKE else ""


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()
