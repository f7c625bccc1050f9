"""The table of panels: a picture a row, a column a model or token; its scales, its warnings, its files.

Knows how maps are shown; how they are found is maps.py's to know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from dashboard.attention import images, save
from dashboard.attention.images import Picture, Pixels, Style
from dashboard.attention.maps import Column, Found, Kind, find, queried_patch
from dashboard.attention.panel import SIGNED_COLOURS, Controls, query_patch
from dashboard.components.panels import Panel, panels
from dashboard.text import escape
from deit_core.errors import DeitError

_KINDS: dict[Kind, str] = {"attention": "Attention", "difference": "Class − distillation", "teacher": "Grad-CAM"}
_MAX_READABLE = 1024  # patches of a map whose values are sent to be pointed at

Row = list[Found | None]


def draw(pictures: Sequence[Picture], columns: Sequence[Column], set_to: Controls) -> None:
    """Draw everything that can be drawn, and say in sentences what cannot."""
    rows, mistakes = _find_all(pictures, columns, set_to)
    for mistake in mistakes:
        st.warning(escape(mistake))
    scales = scales_of([found for row in rows for found in row if found is not None], set_to)
    if not scales:
        return
    inputs = [next((found for found in row if found is not None), None) for row in rows]
    titles = ["Picture", *(column.title for column in columns)]
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
        columns=titles,
        smooth=set_to.smooth,
        pick="patch" if can_pick else None,
        on_pick=query_patch if can_pick else None,
    )
    _draw_scales(scales, set_to)
    if any(found is not None and found.degenerate and found.kind == "attention" for row in rows for found in row):
        st.warning("Nothing reaches a patch in an empty map. Lower the discard ratio, or set its scope to row.")
    with st.container(horizontal=True):
        save.offer(
            "maps",
            save.Sheet(
                [
                    [
                        images.rgb(first.pixels) if first else None,
                        *(paint(found, scales, set_to) if found else None for found in row),
                    ]
                    for first, row in zip(inputs, rows, strict=True)
                ],
                titles,
                row_titles=[picture.truth or "" for picture in pictures],
                bar=_bar(scales, set_to),
                note=_note(scales, set_to),
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


def paint(found: Found, scales: dict[Kind, Style], set_to: Controls) -> Pixels:
    """A map over its picture, on the common scale unless each shall use all of the colours."""
    style = scales[found.kind] if set_to.shared_scale else _style(found.kind, [found], set_to)
    return images.drawn(found.pixels, found.values, style)


def panel(found: Found, scales: dict[Kind, Style], set_to: Controls, *, caption: str | None = None) -> Panel:
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


def settings(pictures: Sequence[Picture], columns: Sequence[Column], set_to: Controls) -> dict[str, Any]:
    """All that a file must say for its pictures to be made again."""
    models = [{"title": column.title, "weights": str(column.choice.file)} for column in columns]
    shown = [{"picture": picture.key, "truth": picture.truth, "invert": picture.invert} for picture in pictures]
    return asdict(set_to) | {"columns": models, "pictures": shown}


def _find_all(pictures: Sequence[Picture], columns: Sequence[Column], set_to: Controls) -> tuple[list[Row], list[str]]:
    """The maps, a row a picture. A model that cannot be shown does not keep the others from it."""
    mistakes: dict[str, None] = {}
    rows: list[Row] = []
    for picture in pictures:
        row: Row = []
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
    return f"{found.prediction} {found.chance:.0%}" if found.prediction else ""


def _style(kind: Kind, found: Sequence[Found], set_to: Controls) -> Style:
    vmax = images.scale([one.values for one in found])
    cmap = SIGNED_COLOURS if kind == "difference" else set_to.cmap
    return Style(vmax, cmap, set_to.smooth, set_to.opacity)


def _draw_scales(scales: dict[Kind, Style], set_to: Controls) -> None:
    if not set_to.shared_scale:
        st.caption("Each map uses all of the colours, so no two can be compared by them.")
        return
    for place, (kind, style) in zip(st.columns(3, gap="medium"), scales.items(), strict=False):
        place.html(images.colour_bar(style, _KINDS[kind], signed=kind == "difference"))


def _bar(scales: dict[Kind, Style], set_to: Controls) -> tuple[str, float] | None:
    style = scales.get("attention")
    return (style.cmap, style.vmax) if style and set_to.shared_scale else None


def _note(scales: dict[Kind, Style], set_to: Controls) -> str:
    if not set_to.shared_scale:
        return "Each map uses all of the colours."
    others = [f"{_KINDS[kind]} to {style.vmax:.2g}" for kind, style in scales.items() if kind != "attention"]
    return f"Also in units of x uniform: {', '.join(others)}." if others else ""
