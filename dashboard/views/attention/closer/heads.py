"""A closer look at heads: the attention of each head in each layer, by itself. L layers, H heads, gh x gw patches."""

import numpy as np
import streamlit as st

from dashboard.components.panels import Panel, Pick, panels
from dashboard.components.png import png
from dashboard.pictures import images
from dashboard.pictures.images import Picture
from dashboard.pictures.map_painting import draw_scales
from dashboard.pictures.picture_maps import fitted
from dashboard.views.attention import save
from dashboard.views.attention.controls import Key, head_name, put
from dashboard.views.attention.map_table import settings
from dashboard.views.attention.maps import Column
from deit_core.spec import RolloutSpec


def draw(picture: Picture, column: Column, spec: RolloutSpec) -> None:
    """Raises: DeitError where the model has no such token."""
    from deit_core.attention.drawing import cells, views

    subject = images.subject(column.choice.checkpoint, picture)
    rows = views.head_cells(subject, fitted(spec, subject), column.token)
    scales = cells.scales_of([cell for row in rows for cell in row], spec)
    titles = [cell.title for cell in rows[0]]
    row_titles = [f"Layer {layer}" for layer in range(1, len(rows) + 1)]
    panels(
        [
            [
                Panel(
                    png(cells.paint(cells.Tile(cell, None), scales, spec)),
                    f"Attention of head {head} in layer {layer}",
                    values=(cell.values * cell.values.size).tolist(),
                    chosen=(spec.layers, spec.head_fusion) == ((layer,), head),
                )
                for head, cell in enumerate(row, start=1)
            ]
            for layer, row in enumerate(rows, start=1)
        ],
        key="att_head_grid",
        columns=titles,
        row_titles=row_titles,
        pick="panel",
        on_pick=_follow,
        min_width=44,
        max_width=110,
    )
    draw_scales(scales, spec)
    with st.container(horizontal=True):
        save.offer(
            "heads",
            lambda: cells.draw_sheet(
                [[cells.Tile(cell, None) for cell in row] for row in rows],
                scales,
                spec,
                columns=titles,
                row_titles=row_titles,
                note=column.title,
            ),
            {"heads": np.array([[cell.values for cell in row] for row in rows])},
            settings("heads", [picture], [column], spec),
        )


def _follow(pick: Pick) -> None:
    """Follow one head through its layer alone."""
    put(Key.METHOD, "rollout")
    put(Key.HEAD_FUSION, head_name(pick.column + 1))
    put(Key.LAYERS, (pick.row + 1, pick.row + 1))
