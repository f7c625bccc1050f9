"""The curve of a run as a file in its folder: the start of each session, each epoch, and the results, a line each.

It is written with the weights, so a kill between folder and store loses nothing: the store is corrected from it. Knows
events and lines; nothing of runs, stores or tensors.
"""

import json
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from deit_core.events import EpochDone, RunFinished, RunStarted
from deit_core.files import append_line

CurveEvent = RunStarted | EpochDone | RunFinished

_KINDS: dict[str, TypeAdapter[CurveEvent]] = {
    kind.__name__: TypeAdapter(kind) for kind in (RunStarted, EpochDone, RunFinished)
}


def append(path: Path, event: CurveEvent) -> None:
    """Add an event to the file. Raises: ResourceError where the disk is full; FileNotFoundError without its folder."""
    append_line(path, json.dumps({"event": type(event).__name__, **asdict(event)}).encode())


def read(path: Path) -> list[CurveEvent]:
    """All events in the order in which they were written; none where there is no file.

    A line that is damaged, or was not finished before a power cut, is left out. After a resume an epoch may appear
    again: a RunStarted says that what was measured after its `first_step` does not count.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [event for line in lines if (event := _event(line)) is not None]


def _event(line: bytes) -> CurveEvent | None:
    try:
        fields = json.loads(line)
        return _KINDS[fields.pop("event")].validate_python(fields)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
