"""The controls of the Attention page and what they are set to. Knows widgets; no models, runs or pictures."""

from dataclasses import dataclass

import streamlit as st

_QUERIES = {"head": "Output tokens", "class": "Class token", "distillation": "Distillation token", "patch": "Patch"}


@dataclass(frozen=True)
class Controls:
    """What the panel is set to; layers count from 1, row and column of a queried patch from 0."""

    discard_ratio: float
    first_layer: int
    last_layer: int
    head_fusion: str
    query: str
    row: int
    column: int
    opacity: float
    smooth: bool
    shared_scale: bool
    cmap: str
    scope: str
    residual: float
    row_norm: str


def controls(*, depth: int, grid_side: int, distilled: bool) -> Controls:
    """Draw the panel.

    Args:
        depth, grid_side: layers and patches a side of the largest model shown.
        distilled: whether one of the models has a distillation token.
    """
    discard_ratio = st.slider(
        "Discard ratio",
        0.0,
        0.99,
        step=0.01,
        key="att_discard",
        bind="query-params",
        help="Share of the weakest links to patches that is dropped in each layer. Links to the class and distillation "
        "tokens are never dropped.",
    )
    first_layer, last_layer = _layers(depth)
    head_fusion = st.segmented_control(
        "Head aggregation",
        ["mean", "max", "min"],
        default="mean",
        required=True,
        key="att_heads",
        bind="query-params",
        help="How the attention heads of a layer are made one: their mean, the largest weight of any, or the smallest.",
    )
    query, row, column = _query(grid_side, distilled)
    opacity = st.slider("Overlay opacity", 0.0, 1.0, 0.6, step=0.05, key="att_opacity", bind="query-params")
    smooth = st.toggle(
        "Smooth", key="att_smooth", bind="query-params", help="Blends between patches. The numbers stay the same."
    )
    shared_scale = st.toggle(
        "Shared scale",
        value=True,
        key="att_shared",
        bind="query-params",
        help="One colour means one value in both models. Off, each map uses all of the colours.",
    )
    with st.popover("Advanced", width="stretch"):
        cmap, scope, residual, row_norm = _advanced()
    return Controls(
        discard_ratio=discard_ratio,
        first_layer=first_layer,
        last_layer=last_layer,
        head_fusion=head_fusion,
        query=query,
        row=row,
        column=column,
        opacity=opacity,
        smooth=smooth,
        shared_scale=shared_scale,
        cmap=cmap,
        scope=scope,
        residual=residual,
        row_norm=row_norm,
    )


def _layers(depth: int) -> tuple[int, int]:
    if depth == 1:  # a slider needs two ends
        return 1, 1
    first, last = st.slider(
        "Layers",
        1,
        depth,
        (1, depth),
        key="att_layers",
        bind="query-params",
        help="The layers that are followed; the others pass everything on. Both ends on one layer show it by itself.",
    )
    return first, last


def _query(grid_side: int, distilled: bool) -> tuple[str, int, int]:
    query = st.selectbox(
        "Query",
        [name for name in _QUERIES if distilled or name != "distillation"],
        format_func=_QUERIES.__getitem__,
        key="att_query",
        bind="query-params",
        help="Whose information is traced. Output tokens: those that the prediction is made from, which in a "
        "DeiT are the class and the distillation token alike.",
    )
    if query != "patch":
        return query, 0, 0
    with st.container(horizontal=True):
        row, column = (
            st.number_input(
                side, 1, grid_side, (grid_side + 1) // 2, key=f"att_{side.lower()}", bind="query-params", width=90
            )
            for side in ("Row", "Column")
        )
    return query, row - 1, column - 1


def _advanced() -> tuple[str, str, float, str]:
    cmap = st.selectbox("Colours", ["inferno", "cividis", "viridis", "grey"], key="att_colours", bind="query-params")
    scope = st.segmented_control(
        "Discard scope",
        ["matrix", "row"],
        default="matrix",
        required=True,
        key="att_scope",
        bind="query-params",
        help="matrix ranks all links of a layer together; row ranks each token's own, so that no map vanishes.",
    )
    residual = st.slider(
        "Residual",
        0.0,
        1.0,
        0.5,
        step=0.05,
        key="att_residual",
        bind="query-params",
        help="Share of the residual connection in each layer. Abnar and Zuidema take 0.5.",
    )
    row_norm = st.segmented_control(
        "Row norm",
        ["mixed", "attention"],
        default="mixed",
        required=True,
        key="att_norm",
        bind="query-params",
        help="mixed normalises attention and residual together; attention normalises the attention first, so that the "
        "residual keeps its share whatever is discarded.",
    )
    return cmap, scope, residual, row_norm
