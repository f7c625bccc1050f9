"""What a user wrote, short enough for a message. Knows nothing of what it means."""

from reprlib import Repr
from typing import Any

_QUOTE = 100  # characters of a value or a name that a message repeats
_GAP = " … "

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = _QUOTE
_short.maxlevel = 3


def shortened(text: str, length: int = _QUOTE) -> str:
    """A text of at most `length` characters: of a longer one the beginning, and the end, where a sentence has its
    advice.
    """
    if len(text) <= length:
        return text
    end = length // 3
    return text[: length - end - len(_GAP)] + _GAP + text[-end:]


def quoted(value: Any) -> str:
    """Any value as Python writes it, shortened: a long text, a long number, a list of many things or of deep ones."""
    return shortened(_short.repr(value), _QUOTE + 2)  # a text has two quotation marks
