"""The table of panels: a row for each picture, a column for each model or token; its scales, warnings and files.

Knows how maps are shown; maps.py knows how they are made.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import state
from dashboard.components.panels import Panel, panels
from dashboard.components.png import png
from dashboard.text import escape
from dashboard.views.attention import images, save
from dashboard.views.attention.controls import query_patch
from dashboard.views.attention.images import Picture, Pixels
from dashboard.views.attention.maps import Column, ColumnMap, find
from deit_core.catalog import MAP_KINDS
from deit_core.errors import DeitError
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention.drawing.cells import Scales, Tile

_MAX_READABLE = 1024  # patches of a map whose values are sent to be pointed at

Row = Sequence[ColumnMap | None]


def draw(pictures: Sequence[Picture], columns: Sequence[Column], spec: RolloutSpec) -> None:
    """Draw everything that can be drawn, and say in sentences what cannot."""
    if not columns:
        st.info("Choose a token to show.")
        return
    with st.spinner("Looking at the pictures"):
        rows, mistakes = _find_all(pictures, columns, spec)
    for mistake in mistakes:
        st.warning(escape(mistake))
    shown = [column_map for row in rows for column_map in row if column_map is not None]
    if not shown:
        return
    scales = scales_of(shown, spec)
    inputs = [next((column_map for column_map in row if column_map is not None), None) for row in rows]
    can_pick = spec.method in ("rollout", "class_attention")
    panels(
        [
            [
                _input(first, picture, spec) if first else None,
                *(panel(column_map, scales, spec) if column_map else None for column_map in row),
            ]
            for first, picture, row in zip(inputs, pictures, rows, strict=True)
        ],
        key="att_table",
        columns=["Picture", *(column.title for column in columns)],
        smooth=spec.smooth,
        pick="patch" if can_pick else None,
        on_pick=query_patch if can_pick else None,
        min_width=76,
    )
    draw_scales(scales, spec)
    if any(column_map.cell.degenerate and column_map.cell.kind == "attention" for column_map in shown):
        st.warning(_why_empty(spec))
    with st.container(horizontal=True):
        save.offer(
            "maps",
            partial(
                sheet,
                rows,
                scales,
                spec,
                columns=[column.title for column in columns],
                row_titles=[picture.truth or "" for picture in pictures],
                picture_title="Picture",
                note=columns[0].title if len(columns) == 1 else "",
            ),
            {
                f"{column.title}, picture {number}": column_map.cell.values
                for number, row in enumerate(rows, start=1)
                for column, column_map in zip(columns, row, strict=True)
                if column_map is not None
            },
            settings("maps", pictures, columns, spec),
        )


def scales_of(column_map: Iterable[ColumnMap], spec: RolloutSpec) -> "Scales":
    """The end of the colour scale of each kind of map."""
    from deit_core.attention.drawing import cells

    return cells.scales_of([one.cell for one in column_map], spec)


def paint(column_map: ColumnMap, scales: "Scales", spec: RolloutSpec) -> Pixels:
    """A map over its picture."""
    from deit_core.attention.drawing import cells

    return cells.paint(_tile(column_map), scales, spec)


def panel(column_map: ColumnMap, scales: "Scales", spec: RolloutSpec, *, caption: str | None = None) -> Panel:
    """A map for the browser."""
    values, kind = column_map.uniform, column_map.cell.kind
    row, column = divmod(int(values.argmax()), values.shape[1])
    strongest = f"strongest at row {row + 1}, column {column + 1} of {values.shape[0]} by {values.shape[1]}"
    is_readable = values.size <= _MAX_READABLE and kind != "teacher"
    return Panel(
        png(paint(column_map, scales, spec)),
        f"{MAP_KINDS[kind]} over the picture, {strongest}, {values[row, column]:.1f} times uniform",
        caption=_prediction(column_map) if caption is None else caption,
        values=values.tolist() if is_readable else None,
    )


def sheet(rows: Sequence[Row], scales: "Scales", spec: RolloutSpec, **titles: Any) -> Pixels:
    """Maps as they are shown, as one picture to save. Args: titles: as `draw_sheet` takes them."""
    from deit_core.attention.drawing import cells

    tiles = [[None if column_map is None else _tile(column_map) for column_map in row] for row in rows]
    return cells.draw_sheet(tiles, scales, spec, **titles)


def _tile(column_map: ColumnMap) -> "Tile":
    from deit_core.attention.drawing.cells import Tile

    return Tile(column_map.cell, images.rgb(column_map.pixels))


def draw_scales(scales: "Scales", spec: RolloutSpec) -> None:
    """The colour bars of all kinds of maps."""
    if not spec.shared_scale:
        st.caption("Each map uses all of the colours, so no two can be compared by them.")
        return
    from deit_core.attention.drawing.cells import colour_map

    for place, (kind, vmax) in zip(st.columns(3, gap="medium"), scales.items(), strict=False):
        place.html(images.colour_bar(colour_map(kind, spec), vmax, MAP_KINDS[kind]))


def settings(view: str, pictures: Sequence[Picture], columns: Sequence[Column], spec: RolloutSpec) -> dict[str, Any]:
    """What a file says of how it was made."""
    from deit_core.attention.drawing.views import file_settings

    runs_dir = state.settings().runs_dir
    models = [
        {
            "title": column.title,
            "checkpoint": column.choice.file.relative_to(runs_dir).as_posix(),
            "epoch": images.viewer(column.choice.checkpoint).card.epoch,
        }
        for column in columns
    ]
    shown = [{"picture": picture.name, "truth": picture.truth, "invert": picture.invert} for picture in pictures]
    return file_settings(view, spec, models=models, pictures=shown)


def _find_all(pictures: Sequence[Picture], columns: Sequence[Column], spec: RolloutSpec) -> tuple[list[Row], list[str]]:
    """The maps, one row for each picture. A model that cannot be shown does not keep the others from it."""
    mistakes: dict[str, None] = {}
    rows: list[Row] = []
    for picture in pictures:
        row: list[ColumnMap | None] = []
        for column in columns:
            try:
                row.append(find(column, picture, spec))
            except DeitError as error:
                mistakes[f"{column.title}: {error}"] = None
                row.append(None)
        rows.append(row)
    return rows, list(mistakes)


def _input(column_map: ColumnMap, picture: Picture, spec: RolloutSpec) -> Panel:
    side = column_map.pixels.shape[1]
    grid = column_map.cell.values.shape if column_map.cell.kind != "teacher" else None
    return Panel(
        png(images.rgb(column_map.pixels)),
        f"The picture as the model sees it, {side} by {side} pixels",
        caption=picture.truth or f"{side} × {side} px",
        grid_size=grid and (grid[0], grid[1]),
        outlined=_queried_patch(grid, spec) if grid else None,
    )


def _queried_patch(grid: tuple[int, ...], spec: RolloutSpec) -> tuple[int, int] | None:
    """Row and column from 0 of the patch in the picture, or of the nearest to it where there are fewer."""
    if spec.row is None or spec.column is None:
        return None
    return min(spec.row, grid[0]) - 1, min(spec.column, grid[1]) - 1


def _prediction(column_map: ColumnMap) -> str:
    if not column_map.prediction:
        return ""
    verdict = ", wrong" if column_map.is_right is False else ""
    return f"{column_map.prediction}, {column_map.chance:.0%}{verdict}"


def _why_empty(spec: RolloutSpec) -> str:
    if spec.method == "rollout" and spec.residual == 1:
        return "All information passes by the residual connection, and attention moves none: lower the residual."
    if spec.method == "rollout":
        return "Nothing reaches a patch in an empty map. Lower the discard ratio, or set its scope to row."
    return "An empty map means that no patch speaks for this class. Ask about another class to see what speaks for it."
