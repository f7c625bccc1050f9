"""Files that are left out when images are listed, counted by reason. Knows paths; nothing of the reasons."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MOST_SAID = 5  # reasons in a sentence


@dataclass(frozen=True)
class LeftOut:
    """Files that are not read: the reason, as in "20 with ending .heic", their number, and the path of one."""

    why: str
    count: int
    example: str


class Tally:
    """Counts files that are left out, by reason."""

    def __init__(self) -> None:
        self._by_reason: dict[str, tuple[int, Path]] = {}

    def add(self, why: str, example: Path, count: int = 1) -> None:
        before, first = self._by_reason.get(why, (0, example))
        self._by_reason[why] = before + count, first

    def update(self, other: "Tally") -> None:
        for why, (count, example) in other._by_reason.items():
            self.add(why, example, count)

    def listed(self, root: Path) -> tuple[LeftOut, ...]:
        """The most frequent reason first, with paths relative to `root`."""
        files = [
            LeftOut(why, count, printable(path.relative_to(root))) for why, (count, path) in self._by_reason.items()
        ]
        return tuple(sorted(files, key=lambda one: (-one.count, one.why)))


def sentence(left_out: Sequence[LeftOut]) -> str:
    """The files that are left out, in words; empty where there are none."""
    if not left_out:
        return ""
    total = sum(one.count for one in left_out)
    parts = [f"{one.count:,} {one.why} ({one.example})" for one in left_out[:_MOST_SAID]]
    if more := sum(one.count for one in left_out[_MOST_SAID:]):
        parts.append(f"{more:,} for other reasons")
    return f"{total:,} {'file is' if total == 1 else 'files are'} left out: {', '.join(parts)}."


def printable(path: Path | str) -> str:
    """A path that a message can hold: bytes that are not UTF-8 are shown as �."""
    return os.fsencode(path).decode(errors="replace")
