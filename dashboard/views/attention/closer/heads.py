"""A closer look at heads: the attention of each head in each layer, by itself. L layers, H heads, gh x gw patches."""

import streamlit as st

from dashboard.components.panels import Panel, Pick, panels
from dashboard.views.attention import images, save
from dashboard.views.attention.controls import Controls, Key, head_name, put
from dashboard.views.attention.images import Picture, Style
from dashboard.views.attention.map_table import settings
from dashboard.views.attention.maps import Column, token


def draw(picture: Picture, column: Column, set_to: Controls) -> None:
    """Raises: DeitError where the model has no such token."""
    seen = images.see(column.choice.checkpoint, picture)
    maps = images.head_maps(seen, token(seen, column.part, set_to))
    depth, num_heads, *_ = maps.shape
    vmax = images.scale([one for layer in maps for one in layer])
    style = Style(vmax, set_to.cmap, smooth=False)
    titles = [head_name(head).capitalize() for head in range(num_heads)]
    row_titles = [f"Layer {layer + 1}" for layer in range(depth)]
    pictures = [[images.alone(one, style) for one in layer] for layer in maps]
    chosen = (set_to.first_layer - 1, set_to.head_fusion) if set_to.first_layer == set_to.last_layer else None
    panels(
        [
            [
                Panel(
                    images.png(pictures[layer][head]),
                    f"Attention of head {head + 1} in layer {layer + 1}",
                    values=(maps[layer, head] * maps[layer, head].size).tolist(),
                    chosen=chosen == (layer, head),
                )
                for head in range(num_heads)
            ]
            for layer in range(depth)
        ],
        key="att_head_grid",
        columns=titles,
        row_titles=row_titles,
        pick="panel",
        on_pick=_follow,
        min_width=44,
        max_width=110,
    )
    st.columns(3)[0].html(images.colour_bar(style, "Attention of a head"))
    with st.container(horizontal=True):
        save.offer(
            "heads",
            lambda: save.Sheet(pictures, titles, row_titles, (style.cmap, style.vmax)),
            {"heads": maps},
            settings([picture], [column], set_to),
        )


def _follow(pick: Pick) -> None:
    """Follow one head through its layer alone."""
    put(Key.METHOD, "rollout")
    put(Key.HEADS, head_name(pick.column))
    put(Key.LAYERS, (pick.row + 1, pick.row + 1))
