"""Pieces of a Markdown page. Knows only text."""

import re
from collections.abc import Iterable, Sequence

from deit_core.plain_text import harmless

_MARKS = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])|(?<=:)//|(?<=www)\.", re.IGNORECASE)
_BLOCK = re.compile(r"(?=>|(?:#+|[-+]+|=+)(?:\s|$))")
_NUMBER = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))")


class Markup(str):
    """A cell of our own, whose marks are meant."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell's text is made `plain`, but for `Markup`."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)])


def plain(text: str) -> str:
    """A person's words on one line, which show as they are: no link, no picture, no heading."""
    line = _MARKS.sub(r"\\\g<0>", " ".join(harmless(text).split()))
    line = re.sub(r"&(?=#?\w+;)", "&amp;", line).replace("<", "&lt;")
    return _NUMBER.sub(r"\1\\", line, count=1) if _NUMBER.match(line) else f"\\{line}" if _BLOCK.match(line) else line


def code(text: str) -> str:
    """A person's words as code, which ends where they end."""
    line = " ".join(harmless(text).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence}{line}{fence}" if len(fence) == 1 else f"{fence} {line} {fence}"


def code_block(lines: Iterable[str]) -> str:
    """Lines that show as they are."""
    return "\n".join(f"    {part}" for line in lines for part in harmless(line).split("\n"))


def _cell(text: str) -> str:
    if isinstance(text, Markup):
        return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return plain(text)
