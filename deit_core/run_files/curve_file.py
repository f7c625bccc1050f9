"""The curve of a run as a file in its folder: the start of each session, steps, epochs and the results, a line each.

It is written with the weights, so a kill between folder and store loses nothing: the store is corrected from it. Knows
events and lines; nothing of runs, stores or tensors.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from deit_core.events import EpochDone, RunFinished, RunStarted, StepDone
from deit_core.files import append_lines

CurveEvent = RunStarted | StepDone | EpochDone | RunFinished

_KINDS: dict[str, TypeAdapter[CurveEvent]] = {
    kind.__name__: TypeAdapter(kind) for kind in (RunStarted, StepDone, EpochDone, RunFinished)
}


def append(path: Path, *events: CurveEvent) -> None:
    """Add events to the file. Raises: ResourceError where the disk is full; FileNotFoundError without its folder."""
    append_lines(path, [json.dumps({"event": type(event).__name__, **asdict(event)}).encode() for event in events])


def read(path: Path) -> list[CurveEvent]:
    """All events in the order in which they were written; none where there is no file.

    A line that is damaged, or was not finished before a power cut, is left out. After a resume a step or an epoch may
    appear again: `counting` leaves out what does not count.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [event for line in lines if (event := _event(line)) is not None]


def counting(events: Iterable[CurveEvent]) -> list[CurveEvent]:
    """The events without what was measured after a step that a later session began at again.

    Of each kind the steps only grow, so what a worker writes that was given up and wakes later does not count.
    """
    kept: list[CurveEvent] = []
    newest: dict[type, int] = {}
    for event in events:
        match event:
            case RunStarted():
                kept = [one for one in kept if _is_before(event, one)]
                newest = {type(one): one.step for one in kept if isinstance(one, StepDone | EpochDone)}
            case StepDone() | EpochDone():
                if event.step <= newest.get(type(event), -1):
                    continue
                newest[type(event)] = event.step
        kept.append(event)
    return kept


def _is_before(start: RunStarted, event: CurveEvent) -> bool:
    """Whether a session that began with `start` goes on from what `event` says."""
    match event:
        case RunStarted():
            return event.first_step <= start.first_step
        case EpochDone():
            return event.epoch <= start.first_epoch
        case _:
            return event.step <= start.first_step


def _event(line: bytes) -> CurveEvent | None:
    try:
        fields = json.loads(line)
        return _KINDS[fields.pop("event")].validate_python(fields)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
