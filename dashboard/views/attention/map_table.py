"""The table of panels: a row for each picture, a column for each model or token; its scales, warnings and files.

Knows how maps are shown; maps.py knows how they are made.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import state
from dashboard.components.panels import Panel, panels
from dashboard.components.png import png
from dashboard.navigation import link
from dashboard.pictures import images
from dashboard.pictures.images import Picture, Pixels
from dashboard.pictures.map_painting import draw_scales, panel, scales_of, tile
from dashboard.pictures.picture_maps import PictureMap, kept_by_tokens
from dashboard.text import escape, message
from dashboard.views.attention import save
from dashboard.views.attention.controls import query_patch
from dashboard.views.attention.maps import Column, find
from deit_core.errors import DeitError
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention.drawing.cells import Scales

Row = Sequence[PictureMap | None]

_COARSE = 4  # cells along a side of a Grad-CAM
_MOST = 0.5  # of a rollout, in one token


def draw(pictures: Sequence[Picture], columns: Sequence[Column], spec: RolloutSpec) -> None:
    """Draw everything that can be drawn, and say in sentences what cannot."""
    if not columns:
        st.info("Choose a token to show.")
        return
    with st.spinner("Looking at the pictures"):
        rows, mistakes = _find_all(pictures, columns, spec)
    for mistake in mistakes:
        st.warning(message(mistake))
    shown = [picture_map for row in rows for picture_map in row if picture_map is not None]
    if not shown:
        return
    scales = scales_of(shown, spec)
    inputs = [next((picture_map for picture_map in row if picture_map is not None), None) for row in rows]
    can_pick = spec.method in ("rollout", "class_attention")
    panels(
        [
            [
                _input(first, picture, spec) if first else None,
                *(panel(picture_map, scales, spec) if picture_map else None for picture_map in row),
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
    _say_in_words(rows[0], columns, pictures[0], spec, is_only=len(rows) == 1)
    for column in columns:
        if column.is_teacher and (cells := column.num_cells) is not None and cells < _COARSE:
            st.caption(
                f"The teacher's Grad-CAM has only {cells} × {cells} cells here: it shows a side of the picture rather "
                "than a place in it."
            )
    if any(picture_map.cell.degenerate and picture_map.cell.kind == "attention" for picture_map in shown):
        st.warning(_why_empty(spec))
    with st.container(horizontal=True, vertical_alignment="center"):
        link("learn", "How to read the maps")
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
                f"{column.title}, picture {number}": picture_map.cell.values
                for number, row in enumerate(rows, start=1)
                for column, picture_map in zip(columns, row, strict=True)
                if picture_map is not None
            },
            settings("maps", pictures, columns, spec),
        )


def _say_in_words(row: Row, columns: Sequence[Column], picture: Picture, spec: RolloutSpec, *, is_only: bool) -> None:
    """A sentence on each attention map of a row."""
    from deit_core.attention.drawing.map_words import map_in_words

    sentences = [
        f"{escape(column.title)}: {map_in_words(picture_map.cell.values, picture_map.pixels)}"
        f"{_what_stays(column, picture, spec)}."
        for column, picture_map in zip(columns, row, strict=True)
        if picture_map is not None and picture_map.cell.kind == "attention"
    ]
    if sentences:
        first = "" if is_only else "Of the first picture. "
        st.caption(first + "Where each map takes from. " + "\n\n".join(sentences))


def _what_stays(column: Column, picture: Picture, spec: RolloutSpec) -> str:
    """The end of a sentence on a rollout most of which reaches no patch."""
    if spec.method != "rollout" or spec.compat:  # whose shares do not sum to 1
        return ""
    shares = kept_by_tokens(images.subject(column.choice.checkpoint, picture), column.token, spec)
    token, share = max(shares.items(), key=lambda one: one[1])
    return f"; {share:.0%} of the information stays in the {token}" if share >= _MOST else ""


def sheet(rows: Sequence[Row], scales: "Scales", spec: RolloutSpec, **titles: Any) -> Pixels:
    """Maps as they are shown, as one picture to save. Args: titles: as `draw_sheet` takes them."""
    from deit_core.attention.drawing import cells

    tiles = [[None if picture_map is None else tile(picture_map) for picture_map in row] for row in rows]
    return cells.draw_sheet(tiles, scales, spec, **titles)


def settings(view: str, pictures: Sequence[Picture], columns: Sequence[Column], spec: RolloutSpec) -> dict[str, Any]:
    """What a file says of how it was made."""
    from deit_core.attention.drawing.views import file_settings

    models = [
        {
            "title": column.title,
            "checkpoint": column.choice.file.relative_to(state.files_of(column.choice.run).folder.parent).as_posix(),
            "epoch": images.viewer(column.choice.checkpoint).card.epoch,
        }
        for column in columns
    ]
    shown = [{"picture": picture.name, "truth": picture.truth, "invert": picture.invert} for picture in pictures]
    return file_settings(view, spec, models=models, pictures=shown)


def _find_all(pictures: Sequence[Picture], columns: Sequence[Column], spec: RolloutSpec) -> tuple[list[Row], list[str]]:
    """The maps, one row for each picture, and each reason why some are missing, after the columns that have it."""
    missing: dict[str, dict[str, None]] = {}
    rows: list[Row] = []
    for picture in pictures:
        row: list[PictureMap | None] = []
        for column in columns:
            try:
                row.append(find(column, picture, spec))
            except DeitError as error:
                missing.setdefault(str(error), {})[column.title] = None
                row.append(None)
        rows.append(row)
    return rows, [f"{'; '.join(titles)}: {reason}" for reason, titles in missing.items()]


def _input(picture_map: PictureMap, picture: Picture, spec: RolloutSpec) -> Panel:
    side = picture_map.pixels.shape[1]
    grid = picture_map.cell.values.shape if picture_map.cell.kind != "teacher" else None
    return Panel(
        png(images.rgb(picture_map.pixels)),
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


def _why_empty(spec: RolloutSpec) -> str:
    if spec.method == "rollout" and spec.residual == 1:
        return "All information passes by the residual connection, and attention moves none: lower the residual."
    if spec.method == "rollout":
        return "Nothing reaches a patch in an empty map. Leave out fewer weak links, or set the discard scope to row."
    return "An empty map means that no patch speaks for this class. Ask about another class to see what speaks for it."
