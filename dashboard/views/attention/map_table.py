"""The table of panels: a picture a row, a column a model or token; its scales, its warnings, its files.

Knows how maps are shown; how they are found is maps.py's to know.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import streamlit as st

from dashboard.components.panels import Panel, panels
from dashboard.text import escape
from dashboard.views.attention import images, save
from dashboard.views.attention.controls import Controls, query_patch
from dashboard.views.attention.images import Picture, Pixels, Style
from dashboard.views.attention.maps import Column, Found, Kind, find, queried_patch
from deit_core.catalog import SIGNED_MAPS
from deit_core.errors import DeitError

_KINDS: dict[Kind, str] = {"attention": "Attention", "difference": "Class − distillation", "teacher": "Grad-CAM"}
_MAX_READABLE = 1024  # patches of a map whose values are sent to be pointed at

Row = Sequence[Found | None]


def draw(pictures: Sequence[Picture], columns: Sequence[Column], set_to: Controls) -> None:
    """Draw everything that can be drawn, and say in sentences what cannot."""
    if not columns:
        st.info("Choose a token to show.")
        return
    with st.spinner("Looking at the pictures"):
        rows, mistakes = _find_all(pictures, columns, set_to)
    for mistake in mistakes:
        st.warning(escape(mistake))
    scales = scales_of([found for row in rows for found in row if found is not None], set_to)
    if not scales:
        return
    inputs = [next((found for found in row if found is not None), None) for row in rows]
    can_pick = set_to.method in ("rollout", "class_attention")
    panels(
        [
            [
                _input(first, picture, set_to) if first else None,
                *(panel(found, scales, set_to) if found else None for found in row),
            ]
            for first, picture, row in zip(inputs, pictures, rows, strict=True)
        ],
        key="att_table",
        columns=["Picture", *(column.title for column in columns)],
        smooth=set_to.smooth,
        pick="patch" if can_pick else None,
        on_pick=query_patch if can_pick else None,
        min_width=76,
    )
    draw_scales(scales, set_to)
    if any(found is not None and found.degenerate and found.kind == "attention" for row in rows for found in row):
        st.warning(_why_empty(set_to))
    with st.container(horizontal=True):
        save.offer(
            "maps",
            partial(
                sheet,
                rows,
                scales,
                set_to,
                columns=[column.title for column in columns],
                row_titles=[picture.truth or "" for picture in pictures],
                with_picture=True,
            ),
            {
                f"{column.title}, picture {number}": found.values
                for number, row in enumerate(rows, start=1)
                for column, found in zip(columns, row, strict=True)
                if found is not None
            },
            settings(pictures, columns, set_to),
        )


def scales_of(found: Iterable[Found], set_to: Controls) -> dict[Kind, Style]:
    """How maps of each kind are coloured: all of a kind on one scale."""
    by_kind: dict[Kind, list[Found]] = {}
    for one in found:
        by_kind.setdefault(one.kind, []).append(one)
    return {kind: _style(kind, some, set_to) for kind, some in by_kind.items()}


def paint(found: Found, scales: Mapping[Kind, Style], set_to: Controls) -> Pixels:
    """A map over its picture, on the common scale unless each shall use all of the colours."""
    style = scales[found.kind] if set_to.shared_scale else _style(found.kind, [found], set_to)
    return images.drawn(found.pixels, found.values, style)


def panel(found: Found, scales: Mapping[Kind, Style], set_to: Controls, *, caption: str | None = None) -> Panel:
    """A map for the browser."""
    values = found.uniform
    row, column = divmod(int(values.argmax()), values.shape[1])
    strongest = f"strongest at row {row + 1}, column {column + 1} of {values.shape[0]} by {values.shape[1]}"
    is_readable = values.size <= _MAX_READABLE and found.kind != "teacher"
    return Panel(
        images.png(paint(found, scales, set_to)),
        f"{_KINDS[found.kind]} over the picture, {strongest}, {values[row, column]:.1f} times uniform",
        caption=_prediction(found) if caption is None else caption,
        values=values.tolist() if is_readable else None,
    )


def sheet(
    rows: Sequence[Row],
    scales: Mapping[Kind, Style],
    set_to: Controls,
    *,
    columns: Sequence[str],
    row_titles: Sequence[str] = (),
    with_picture: bool = False,
) -> save.Sheet:
    """Maps as they are shown, to be saved, if wanted with the picture at the left of each row."""
    painted = [[paint(found, scales, set_to) if found else None for found in row] for row in rows]
    if with_picture:
        firsts = [next((images.rgb(found.pixels) for found in row if found), None) for row in rows]
        painted = [[first, *row] for first, row in zip(firsts, painted, strict=True)]
        columns = ["Picture", *columns]
    bar, note = _legend(scales, set_to)
    return save.Sheet(painted, columns, row_titles, bar, note)


def draw_scales(scales: Mapping[Kind, Style], set_to: Controls) -> None:
    """The colour bars of all kinds of maps."""
    if not set_to.shared_scale:
        st.caption("Each map uses all of the colours, so no two can be compared by them.")
        return
    for place, (kind, style) in zip(st.columns(3, gap="medium"), scales.items(), strict=False):
        place.html(images.colour_bar(style, _KINDS[kind], signed=kind == "difference"))


def settings(pictures: Sequence[Picture], columns: Sequence[Column], set_to: Controls) -> dict[str, Any]:
    """All that a file must say for its pictures to be made again."""
    models = [
        {"title": column.title, "run": column.choice.run.id, "weights": column.choice.weights} for column in columns
    ]
    shown = [{"picture": picture.key, "truth": picture.truth, "invert": picture.invert} for picture in pictures]
    return asdict(set_to) | {"columns": models, "pictures": shown}


def _find_all(pictures: Sequence[Picture], columns: Sequence[Column], set_to: Controls) -> tuple[list[Row], list[str]]:
    """The maps, a row a picture. A model that cannot be shown does not keep the others from it."""
    mistakes: dict[str, None] = {}
    rows: list[Row] = []
    for picture in pictures:
        row: list[Found | None] = []
        for column in columns:
            try:
                row.append(find(column, picture, set_to))
            except DeitError as error:
                mistakes[f"{column.title}: {error}"] = None
                row.append(None)
        rows.append(row)
    return rows, list(mistakes)


def _input(found: Found, picture: Picture, set_to: Controls) -> Panel:
    side = found.pixels.shape[1]
    grid = found.values.shape if found.kind != "teacher" else None
    return Panel(
        images.png(images.rgb(found.pixels)),
        f"The picture as the model sees it, {side} by {side} pixels",
        caption=picture.truth or f"{side} × {side} px",
        grid_size=grid and (grid[0], grid[1]),
        outlined=queried_patch((grid[0], grid[1]), set_to.patch) if grid and set_to.patch else None,
    )


def _prediction(found: Found) -> str:
    if not found.prediction:
        return ""
    verdict = ", wrong" if found.is_right is False else ""
    return f"{found.prediction}, {found.chance:.0%}{verdict}"


def _style(kind: Kind, found: Sequence[Found], set_to: Controls) -> Style:
    vmax = images.scale([one.values for one in found])
    cmap = SIGNED_MAPS[0] if kind == "difference" else set_to.cmap
    return Style(vmax, cmap, set_to.smooth, set_to.opacity)


def _why_empty(set_to: Controls) -> str:
    if set_to.method == "rollout" and set_to.residual == 1:
        return "All information passes by the residual connection, and attention moves none: lower the residual."
    if set_to.method == "rollout":
        return "Nothing reaches a patch in an empty map. Lower the discard ratio, or set its scope to row."
    return "An empty map means that no patch speaks for this class. Ask about another class to see what speaks for it."


def _legend(scales: Mapping[Kind, Style], set_to: Controls) -> tuple[tuple[str, float] | None, str]:
    """The colour bar of a sheet, which has room for one kind of maps, and a line on the others."""
    if not set_to.shared_scale:
        return None, "Each map uses all of the colours."
    first, *others = sorted(scales, key=lambda kind: kind != "attention")
    note = ", ".join(f"{_KINDS[kind]} ends at {scales[kind].vmax:.2g} x uniform" for kind in others)
    return (scales[first].cmap, scales[first].vmax), note
