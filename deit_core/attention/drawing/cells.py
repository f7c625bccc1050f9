"""What pictures are made of: cells, each a map with a title and the kind of its scale, and how they are painted.

Knows nothing of where maps come from.

Shapes: gh x gw patches, H x W pixels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.attention.drawing.sheet import Bar, contact_sheet
from deit_core.attention.overlay import Picture, colourise, overlay, shared_vmax
from deit_core.catalog import MAP_KINDS, SIGNED_MAPS, MapKind
from deit_core.spec import RolloutSpec

Map = NDArray[np.float32]
Scales = Mapping[MapKind, float]  # the end of the colour scale of each kind, in "x uniform"

SMOOTH_SIDE = 224  # pixels of a smoothed picture at least; one that is not smooth needs no more than the model saw


@dataclass(frozen=True, eq=False)
class Cell:
    """One map of a view.

    values: (gh, gw); of a CNN one value per pixel. Times their number they read "x uniform".
    degenerate: whether nothing reaches a patch.
    """

    title: str
    values: Map
    kind: MapKind = "attention"
    degenerate: bool = False


class Tile(NamedTuple):
    """A cell, and what the model saw, (H, W, 3), under it; None where the map stands by itself."""

    cell: Cell
    picture: Picture | None


Rows = Sequence[Sequence[Tile | None]]


def scales_of(cells: Iterable[Cell], spec: RolloutSpec) -> Scales:
    """One scale for all cells of a kind; the end that a spec sets is for all kinds but a difference."""
    by_kind: dict[MapKind, list[Map]] = {}
    for cell in cells:
        by_kind.setdefault(cell.kind, []).append(cell.values)
    return {
        kind: shared_vmax(maps) if spec.vmax is None or kind == "difference" else spec.vmax
        for kind, maps in by_kind.items()
    }


def colour_map(kind: MapKind, spec: RolloutSpec) -> str:
    return SIGNED_MAPS[0] if kind == "difference" else spec.cmap


def paint(tile: Tile, scales: Scales, spec: RolloutSpec) -> Picture:
    """A cell over its picture, (H, W, 3), no larger than its sharp edges need; by itself one pixel per patch."""
    cell, picture = tile
    scale: dict[str, Any] = {
        "vmax": scales[cell.kind] if spec.shared_scale else None,
        "cmap": colour_map(cell.kind, spec),
    }
    if picture is None:
        return colourise(cell.values, **scale)
    if spec.smooth:
        scale |= {"interpolation": "bilinear", "size": _enlarged(picture.shape)}
    return overlay(picture, cell.values, alpha=spec.opacity, **scale)


def draw_sheet(
    rows: Rows,
    scales: Scales,
    spec: RolloutSpec,
    *,
    columns: Sequence[str],
    row_titles: Sequence[str] = (),
    picture_title: str = "",
    note: str = "",
) -> Picture:
    """Cells as one sheet with its colour bar.

    Args:
        picture_title: stands over a first column with the picture of each row; "" leaves that column out.
        note: a line at the foot, where the scales need none.
    """
    painted = [[None if tile is None else paint(tile, scales, spec) for tile in row] for row in rows]
    if picture_title:
        firsts = [next((tile.picture for tile in row if tile), None) for row in rows]
        painted = [[first, *row] for first, row in zip(firsts, painted, strict=True)]
        columns = [picture_title, *columns]
    bar, legend = _legend(scales, spec)
    return contact_sheet(painted, columns=columns, row_titles=row_titles, bar=bar, note=legend or note)


def _legend(scales: Scales, spec: RolloutSpec) -> tuple[Bar | None, str]:
    """The colour bar of a sheet, which has room for one kind of maps, and a line on the others."""
    if not spec.shared_scale:
        return None, "Each map uses all of the colours."
    first, *others = sorted(scales, key=lambda kind: kind != "attention")
    note = ", ".join(f"{MAP_KINDS[kind]} ends at {scales[kind]:.2g} x uniform" for kind in others)
    return Bar(colour_map(first, spec), scales[first]), note


def _enlarged(shape: tuple[int, ...]) -> tuple[int, int]:
    height, width = shape[:2]
    times = -(-SMOOTH_SIDE // min(height, width))
    return height * times, width * times
