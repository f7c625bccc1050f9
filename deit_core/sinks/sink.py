"""What every sink is: it takes numbers by their names. Knows no tool."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Told:
    """What a tool is told of a run before its numbers.

    `folder` is where the tool keeps the files of all runs, `spec` is JSON, and `first_step` is the number of steps that
    earlier sessions finished.
    """

    id: str
    name: str
    experiment: str
    spec: str
    folder: Path
    first_step: int


class Sink(Protocol):
    """A run in another tool."""

    def write(self, metrics: Mapping[str, float], step: int) -> None: ...

    def close(self, *, is_completed: bool) -> None: ...
