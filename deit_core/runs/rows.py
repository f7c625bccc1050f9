"""From rows of the store to its records: a row that cannot be read says why, and hides no other.

Rows may be of another version, changed by hand or damaged, so nothing in them is believed. Opens no database.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, get_args

from pydantic import ValidationError
from sqlalchemy import RowMapping

from deit_core.plain_text import harmless
from deit_core.runs.records import Experiment, LifecycleEvent, Point, PointKind, Run, Status, UnreadableRun
from deit_core.spec import ExperimentSpec, RunSpec

_LAST_TIME_S = 253_402_300_799  # the end of the year 9999, after which no calendar of Python's goes
_POINT_KINDS = get_args(PointKind)


class RowError(ValueError):
    """What is wrong with a row, as words that follow "Run 3: "."""


def run_or_reason(row: RowMapping, needs: Sequence[str]) -> Run | UnreadableRun:
    """`run_of`, or why there is none."""
    try:
        return run_of(row, needs)
    except RowError as error:
        return UnreadableRun(row["number"], row["id"], str(error))


def is_run_id(value: object) -> bool:
    """Whether it is an id that DeiT Lab gives, and so the name of a folder in the runs folder and no path elsewhere."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{1,12}", value) is not None


def run_of(row: RowMapping, needs: Sequence[str] = ()) -> Run:
    """Args: row: the columns of `runs`, with `results` as text, and `experiment_name`.

    Raises: RowError where a value is missing or is not what its column holds.
    """
    if not is_run_id(row["id"]):
        raise RowError(f"its id is not one that DeiT Lab gives ({_shown(row['id'])})")
    if (spec := parse_spec(row["spec"])) is None:
        raise RowError("its spec was made by another version of DeiT Lab, or is damaged")
    if row["status"] not in list(Status):
        raise RowError(f"its status is unknown ({_shown(row['status'])})")
    if (results := _numbers(row["results"])) is None:
        raise RowError(f"its results are damaged ({_shown(row['results'])})")
    for name, is_right in _COLUMNS.items():
        if not is_right(row[name]):
            raise RowError(f"its {name} is damaged ({_shown(row[name])})")
    return Run(
        id=row["id"],
        spec=spec,
        status=Status(row["status"]),
        stop_requested=bool(row["stop_requested"]),
        results=results,
        needs=tuple(needs),
        experiment_name=row["experiment_name"] and harmless(row["experiment_name"]),
        **{name: row[name] for name in _COLUMNS if name not in ("stop_requested", "experiment_name")},
    )


@lru_cache(maxsize=4096)
def parse_spec(text: Any) -> RunSpec | None:
    """The spec of a run, None where this version cannot read it."""
    try:
        return RunSpec.model_validate_json(text)
    except ValidationError:
        return None


def points_of(rows: Sequence[Sequence[Any]]) -> list[Point]:
    """The points that can be read. Args: rows: the fields of a Point in their order, the metrics as text."""
    try:
        metrics = json.loads(f"[{','.join([row[-1] for row in rows])}]")  # quicker, and keys are shared
    except (TypeError, ValueError, RecursionError):
        metrics = []
    if len(metrics) != len(rows):
        metrics = [_numbers(row[-1]) for row in rows]
    return [
        Point._make((*row[:-1], measured))
        for row, measured in zip(rows, metrics, strict=True)
        if _is_point(row, measured)
    ]


def experiment_of(row: RowMapping) -> Experiment | None:
    """None where it cannot be read."""
    texts = (row["id"], row["name"], row["description"])
    if not all(map(_is_text, texts)) or not _is_time(row["created_at"]):
        return None
    try:
        spec = None if row["spec"] is None else ExperimentSpec.model_validate_json(row["spec"])
    except ValidationError:
        spec = None
    return Experiment(row["id"], harmless(row["name"]), harmless(row["description"]), row["created_at"], spec)


def lifecycle_event_of(row: RowMapping) -> LifecycleEvent | None:
    """None where it cannot be read."""
    if row["status"] not in list(Status) or not _is_text(row["message"]) or not _is_time(row["at"]):
        return None
    return LifecycleEvent(row["at"], Status(row["status"]), row["message"])


def _numbers(text: Any) -> dict[str, float] | None:
    """Numbers by name, from JSON; None where it is anything else."""
    try:
        values = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return values if _are_numbers(values) else None


def _are_numbers(values: Any) -> bool:
    return type(values) is dict and all(type(value) in (float, int) for value in values.values())


def _is_point(row: Sequence[Any], metrics: Any) -> bool:
    _, _, kind, step, epoch, elapsed_s, _ = row
    numbers_are = type(step) is int and type(epoch) is float and type(elapsed_s) is float
    return numbers_are and kind in _POINT_KINDS and _are_numbers(metrics)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value >= 0


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= _LAST_TIME_S


def _is_duration(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _or_none(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_right(value)


_COLUMNS: dict[str, Callable[[Any], bool]] = {
    "number": _is_count,
    "message": _is_text,
    "stop_requested": _is_count,
    "experiment_id": _or_none(_is_text),
    "experiment_name": _or_none(_is_text),
    "worker_id": _or_none(_is_text),
    "created_at": _is_time,
    "started_at": _or_none(_is_time),
    "finished_at": _or_none(_is_time),
    "step": _is_count,
    "total_steps": _is_count,
    "epoch": _is_count,
    "time_left_s": _or_none(_is_duration),
}


def _shown(value: Any) -> str:
    """A value in a message: whatever it is, short."""
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
