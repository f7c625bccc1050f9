"""How maps are shown: their colours over the picture, the words on them, and their scales. Knows no models."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import streamlit as st

from dashboard.components.panels import Panel
from dashboard.components.png import png
from dashboard.pictures import images
from dashboard.pictures.images import Pixels
from dashboard.pictures.picture_maps import PictureMap
from deit_core.catalog import MAP_KINDS
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention.drawing.cells import Scales, Tile

_MAX_READABLE = 1024  # patches of a map whose values are sent to be pointed at


def scales_of(maps: Iterable[PictureMap], spec: RolloutSpec) -> "Scales":
    """The end of the colour scale of each kind of map."""
    from deit_core.attention.drawing import cells

    return cells.scales_of([one.cell for one in maps], spec)


def paint(picture_map: PictureMap, scales: "Scales", spec: RolloutSpec) -> Pixels:
    """A map over its picture."""
    from deit_core.attention.drawing import cells

    return cells.paint(tile(picture_map), scales, spec)


def panel(picture_map: PictureMap, scales: "Scales", spec: RolloutSpec, *, caption: str | None = None) -> Panel:
    """A map for the browser."""
    values, kind = picture_map.uniform, picture_map.cell.kind
    row, column = divmod(int(values.argmax()), values.shape[1])
    strongest = f"strongest at row {row + 1}, column {column + 1} of {values.shape[0]} by {values.shape[1]}"
    is_readable = values.size <= _MAX_READABLE and kind != "teacher"
    verdicts: dict[bool | None, Literal["", "right", "wrong"]] = {True: "right", False: "wrong", None: ""}
    return Panel(
        png(paint(picture_map, scales, spec)),
        f"{MAP_KINDS[kind]} over the picture, {strongest}, {values[row, column]:.1f} times uniform",
        caption=prediction(picture_map) if caption is None else caption,
        verdict=verdicts[picture_map.is_right] if caption is None else "",
        values=values.tolist() if is_readable else None,
    )


def tile(picture_map: PictureMap) -> "Tile":
    from deit_core.attention.drawing.cells import Tile

    return Tile(picture_map.cell, images.rgb(picture_map.pixels))


def draw_scales(scales: "Scales", spec: RolloutSpec) -> None:
    """The colour bars of all kinds of maps."""
    if not spec.shared_scale:
        st.caption("Each map has a scale of its own, so the colours of two maps cannot be compared.")
        return
    from deit_core.attention.drawing.cells import colour_map

    for place, (kind, vmax) in zip(st.columns(3, gap="medium"), scales.items(), strict=False):
        place.html(images.colour_bar(colour_map(kind, spec), vmax, MAP_KINDS[kind]))


def prediction(picture_map: PictureMap) -> str:
    """The likeliest class and its probability, with a sign where it is known to be right or wrong."""
    if not picture_map.prediction:
        return ""
    return f"{sign(picture_map)} {picture_map.prediction}, {picture_map.chance:.0%}".strip()


def sign(picture_map: PictureMap) -> str:
    """Whether the model is right; empty where that is not known."""
    return {True: "✓", False: "✗", None: ""}[picture_map.is_right]
