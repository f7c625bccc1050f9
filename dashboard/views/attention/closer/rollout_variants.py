"""A closer look at the choices: the same rollout under every fusion and several discard ratios, on one scale."""

from dataclasses import replace
from functools import partial

import streamlit as st

from dashboard.components.panels import Pick, panels
from dashboard.views.attention import save
from dashboard.views.attention.controls import Controls, Key, put
from dashboard.views.attention.images import Picture
from dashboard.views.attention.map_table import draw_scales, panel, scales_of, settings, sheet
from dashboard.views.attention.maps import Column, find
from deit_core.catalog import HEAD_FUSIONS, VARIANT_RATIOS


def draw(picture: Picture, column: Column, set_to: Controls) -> None:
    """Raises: DeitError where the model has no such token or layer."""
    if set_to.method != "rollout":
        st.info("Only a rollout has these choices. Choose the method Attention rollout to see them side by side.")
        return
    variants = [
        [replace(set_to, head_fusion=fusion, discard_ratio=ratio) for ratio in VARIANT_RATIOS]
        for fusion in HEAD_FUSIONS
    ]
    found = [[find(column, picture, variant) for variant in row] for row in variants]
    scales = scales_of([one for row in found for one in row], set_to)
    titles = [f"Discard {ratio:g}" for ratio in VARIANT_RATIOS]
    current = (set_to.head_fusion, set_to.discard_ratio)
    panels(
        [
            [
                replace(
                    panel(one, scales, set_to, caption="nothing reaches a patch" if one.degenerate else ""),
                    chosen=(variant.head_fusion, variant.discard_ratio) == current,
                )
                for one, variant in zip(some, row, strict=True)
            ]
            for some, row in zip(found, variants, strict=True)
        ],
        key="att_variants",
        columns=titles,
        row_titles=HEAD_FUSIONS,
        smooth=set_to.smooth,
        pick="panel",
        on_pick=_take_over,
        max_width=200,
    )
    draw_scales(scales, set_to)
    with st.container(horizontal=True):
        save.offer(
            "variants",
            partial(sheet, found, scales, set_to, columns=titles, row_titles=HEAD_FUSIONS),
            {
                f"{variant.head_fusion}, discard {variant.discard_ratio:g}": one.values
                for row, some in zip(variants, found, strict=True)
                for variant, one in zip(row, some, strict=True)
            },
            settings([picture], [column], set_to),
        )


def _take_over(pick: Pick) -> None:
    put(Key.HEADS, HEAD_FUSIONS[pick.row])
    put(Key.DISCARD, VARIANT_RATIOS[pick.column])
