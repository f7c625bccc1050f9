"""A closer look at the choices: the same rollout under every fusion and several discard ratios, on one scale."""

from dataclasses import replace
from functools import partial

import streamlit as st

from dashboard.components.panels import Pick, panels
from dashboard.pictures import images
from dashboard.pictures.images import Picture
from dashboard.pictures.map_painting import draw_scales, panel, scales_of
from dashboard.pictures.picture_maps import PictureMap, fitted
from dashboard.views.attention import save
from dashboard.views.attention.controls import Key, put
from dashboard.views.attention.map_table import settings, sheet
from dashboard.views.attention.maps import Column
from deit_core.catalog import HEAD_FUSIONS, VARIANT_RATIOS
from deit_core.spec import RolloutSpec


def draw(picture: Picture, column: Column, spec: RolloutSpec) -> None:
    """Raises: DeitError where the model has no such token or layer."""
    if spec.method != "rollout":
        st.info("Only a rollout has these choices. Choose the method Attention rollout to see them side by side.")
        return
    from deit_core.attention.drawing import views

    subject = images.subject(column.choice.checkpoint, picture)
    rows = views.variant_cells(subject, fitted(spec, subject), column.token)
    maps = [[PictureMap(cell, subject.pixels) for cell in row] for row in rows]
    scales = scales_of([one for row in maps for one in row], spec)
    titles = [cell.title for cell in rows[0]]
    panels(
        [
            [
                replace(
                    panel(one, scales, spec, caption="nothing reaches a patch" if one.cell.degenerate else ""),
                    chosen=variant == spec,
                )
                for one, variant in zip(some, row, strict=True)
            ]
            for some, row in zip(maps, views.variants(spec), strict=True)
        ],
        key="att_variants",
        columns=titles,
        row_titles=HEAD_FUSIONS,
        smooth=spec.smooth,
        pick="panel",
        on_pick=_take_over,
        max_width=200,
    )
    draw_scales(scales, spec)
    with st.container(horizontal=True):
        save.offer(
            "variants",
            partial(sheet, maps, scales, spec, columns=titles, row_titles=HEAD_FUSIONS, note=column.title),
            {
                f"{fusion} {cell.title}": cell.values
                for fusion, row in zip(HEAD_FUSIONS, rows, strict=True)
                for cell in row
            },
            settings("variants", [picture], [column], spec),
        )


def _take_over(pick: Pick) -> None:
    put(Key.HEAD_FUSION, HEAD_FUSIONS[pick.row])
    put(Key.DISCARD_RATIO, VARIANT_RATIOS[pick.column])
