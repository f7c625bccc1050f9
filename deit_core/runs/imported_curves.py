"""Curves of other programs in the store: they are drawn beside those of runs, and are runs nowhere.

Knows the store; nothing of the files that they come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, func, insert, select

from deit_core.errors import RunError
from deit_core.plain_text import harmless
from deit_core.runs import schema
from deit_core.runs.event_files import FoundCurve, FoundPoint
from deit_core.runs.records import Point, PointKind
from deit_core.runs.store import Store, new_id
from deit_core.text.quoting import quoted, shortened

MOST = 100  # in a store
_LONGEST_NAME = 80
_POINTS = TypeAdapter(list[FoundPoint])
_curves, _lines = schema.imported_curves, schema.imported_lines


@dataclass(frozen=True)
class ImportedCurve:
    """`points` have one metric each, by step; their `epoch` is 0 where `has_epochs` is false. `tags` are the names that
    the metrics have in the program that they come from.
    """

    id: str
    name: str
    has_epochs: bool
    points: Sequence[Point]
    tags: dict[str, str]


def add_curves(store: Store, found: Sequence[FoundCurve], steps_per_epoch: float | None = None) -> list[str]:
    """Keep curves, all or none; returns their names.

    Args: steps_per_epoch: by which an epoch is counted from a step; None where it is not known.
    Raises: RunError where one of that name is there, or there are too many.
    """
    names = [shortened(harmless(curve.name).strip(), _LONGEST_NAME) or "curves" for curve in found]
    with store.writing(anew=True) as connection:
        if (connection.scalar(select(func.count()).select_from(_curves)) or 0) + len(found) > MOST:
            raise RunError(
                f"A store keeps {MOST} imported curves; delete some: `python -m deit_core curves delete NAME`."
            )
        known = set(connection.scalars(select(_curves.c.name)))
        for curve, name in zip(found, names, strict=True):
            if name in known:
                raise RunError(f"There are imported curves named {quoted(name)}; delete them, or give another name.")
            known.add(name)
            curve_id = new_id()
            row = {"id": curve_id, "name": name, "imported_at": store.now(), "steps_per_epoch": steps_per_epoch}
            connection.execute(insert(_curves).values(row))
            lines = [
                {"curve_id": curve_id, **line._asdict(), "points": [list(point) for point in line.points]}
                for line in curve.lines
            ]
            connection.execute(insert(_lines), lines)
    return names


def names_of_curves(store: Store) -> dict[str, str]:
    """The name of each by its id, the oldest first."""
    with store.reading() as connection:
        rows = connection.execute(select(_curves.c.id, _curves.c.name).order_by(_curves.c.imported_at, _curves.c.id))
        return {curve_id: harmless(str(name)) for curve_id, name in rows}


def imported_curve(store: Store, curve_id: str) -> ImportedCurve | None:
    """With all of its lines that can be read; None where there is none any more."""
    with store.reading() as connection:
        curve = connection.execute(select(_curves).where(_curves.c.id == curve_id)).first()
        lines = connection.execute(select(_lines).where(_lines.c.curve_id == curve_id).order_by(_lines.c.metric)).all()
    if curve is None:
        return None
    per_epoch = (
        curve.steps_per_epoch if isinstance(curve.steps_per_epoch, float) and curve.steps_per_epoch > 0 else None
    )
    points = [
        Point(0, curve_id, line.kind, step, step / per_epoch if per_epoch else 0.0, elapsed_s, {line.metric: value})
        for line in lines
        for step, elapsed_s, value in _points_of(line)
    ]
    points.sort(key=lambda point: point.step)
    tags = {line.metric: line.tag for line in lines}
    return ImportedCurve(curve_id, harmless(str(curve.name)), per_epoch is not None, points, tags)


def damaged_curves(store: Store) -> list[str]:
    """The names of those of which a line cannot be read."""
    curves = [(name, imported_curve(store, curve_id)) for curve_id, name in names_of_curves(store).items()]
    return [name for name, curve in curves if curve and {*curve.tags} - {*(m for p in curve.points for m in p.metrics)}]


def delete_curve(store: Store, name: str) -> None:
    """Forget imported curves. Raises: RunError where there are none of that name."""
    with store.writing() as connection:
        if not connection.execute(delete(_curves).where(_curves.c.name == name)).rowcount:
            raise RunError(
                f"There are no imported curves named {quoted(name)}; `python -m deit_core curves list` lists them."
            )


def _points_of(line: Any) -> list[FoundPoint]:
    """Empty where the row is damaged."""
    if line.kind not in get_args(PointKind):
        return []
    try:
        return _POINTS.validate_python(line.points)
    except ValidationError:
        return []
