"""The controls of the Attention page and what they are set to. Knows widgets; no models, runs or pictures.

The keys of widgets that a click elsewhere on the page sets are in `Key`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import streamlit as st

from dashboard.components.panels import Pick
from deit_core.catalog import COLOUR_MAPS, HEAD_FUSIONS, METHODS, ROW_NORMS, SCOPES

_METHODS = {name: facts for name, facts in METHODS.items() if facts.family == "vit"}
_PREDICTED = "Predicted class"


class Key(StrEnum):
    """Widgets that clicks on pictures set as well."""

    METHOD = "att_method"
    DISCARD = "att_discard"
    LAYERS = "att_layers"
    HEADS = "att_heads"
    QUERY = "att_query"
    ROW = "att_row"
    COLUMN = "att_column"


@dataclass(frozen=True)
class Controls:
    """What the panel is set to; layers count from 1, row and column of a queried patch from 0."""

    method: str
    target: str | None
    discard_ratio: float
    first_layer: int
    last_layer: int
    head_fusion: str | int
    patch: tuple[int, int] | None
    opacity: float
    smooth: bool
    shared_scale: bool
    cmap: str
    scope: str
    residual: float
    row_norm: str
    compat: bool

    @property
    def fusing(self) -> dict[str, Any]:
        """What `images.prepared` takes."""
        return {"head_fusion": self.head_fusion, "scope": "matrix" if self.compat else self.scope}

    @property
    def rolling(self) -> dict[str, Any]:
        """All that a rollout takes, beside its query and layers."""
        return self.fusing | self.tracing

    @property
    def tracing(self) -> dict[str, Any]:
        """What the rollout of a prepared look takes, beside its query and layers."""
        return {
            "discard_ratio": self.discard_ratio,
            "residual": self.residual,
            "row_norm": "mixed" if self.compat else self.row_norm,
            "compat": self.compat,
        }


def controls(*, depth: int, num_heads: int, grid_side: int, classes: Sequence[str]) -> Controls:
    """Draw the panel.

    Args:
        depth, num_heads, grid_side: layers, heads and patches a side of the largest model shown.
        classes: what the first model tells apart.
    """
    method = st.selectbox(
        "Method",
        list(_METHODS),
        format_func=lambda name: _METHODS[name].title,
        key=Key.METHOD,
        bind="query-params",
        help="\n\n".join(f"**{facts.title}**: {facts.summary} {facts.source}." for facts in METHODS.values()),
    )
    asks = _METHODS[method].class_specific
    target = _target(classes) if asks else None
    traced = method == "rollout"
    discard_ratio = _discard() if traced else 0.0
    first_layer, last_layer = _layers(depth) if traced else (1, depth)
    head_fusion = _heads(num_heads) if traced else "mean"
    patch = None if asks else _query(grid_side)
    opacity = st.slider("Overlay opacity", 0.0, 1.0, 0.7, step=0.05, key="att_opacity", bind="query-params")
    smooth = st.toggle(
        "Smooth", key="att_smooth", bind="query-params", help="Blends between patches. The numbers stay the same."
    )
    shared_scale = st.toggle(
        "Shared scale",
        value=True,
        key="att_shared",
        bind="query-params",
        help="One colour means one value in all maps of a kind. Off, each map uses all of the colours.",
    )
    compat = traced and st.toggle(
        "Popular code",
        key="att_compat",
        bind="query-params",
        help="The most copied implementation ranks links to the class token too and divides columns where it means "
        "rows. This shows its maps, errors included; with head aggregation mean and nothing discarded it is right.",
    )
    with st.popover("Advanced", width="stretch"):
        cmap, scope, residual, row_norm = _advanced(traced, compat)
    return Controls(
        method=method,
        target=target,
        discard_ratio=discard_ratio,
        first_layer=first_layer,
        last_layer=last_layer,
        head_fusion=head_fusion,
        patch=patch,
        opacity=opacity,
        smooth=smooth,
        shared_scale=shared_scale,
        cmap=cmap,
        scope=scope,
        residual=residual,
        row_norm=row_norm,
        compat=compat,
    )


def put(key: str, value: str | float | tuple[int, int]) -> None:
    """Set a widget from elsewhere on the page, in a callback, and the address with it."""
    if key not in st.session_state:  # what a widget not drawn yet is set to does not reach the address by itself
        st.query_params[key] = [f"{end}" for end in value] if isinstance(value, tuple) else f"{value}"
    st.session_state[key] = value


def query_patch(pick: Pick) -> None:
    """Make the patch that was clicked the query."""
    assert pick.patch is not None
    row, column = pick.patch
    put(Key.QUERY, "Patch")
    put(Key.ROW, row + 1)
    put(Key.COLUMN, column + 1)


def _target(classes: Sequence[str]) -> str | None:
    chosen = st.selectbox("Class asked about", [_PREDICTED, *classes], key="att_target", bind="query-params")
    return None if chosen == _PREDICTED else chosen


def _discard() -> float:
    return st.slider(
        "Discard ratio",
        0.0,
        0.99,
        step=0.01,
        key=Key.DISCARD,
        bind="query-params",
        help="Share of the weakest links to patches that is dropped in each layer. Links to the class and distillation "
        "tokens are never dropped.",
    )


def _layers(depth: int) -> tuple[int, int]:
    if depth == 1:  # a slider needs two ends
        return 1, 1
    ends = st.slider(
        "Layers",
        1,
        depth,
        (1, depth),
        key=Key.LAYERS,
        bind="query-params",
        help="The layers that are followed; the others pass everything on. Both ends on one layer show it by itself.",
    )
    return min(ends), max(ends)  # an address may have them in either order


def _heads(num_heads: int) -> str | int:
    """A fusion's name, or a head's index from 0."""
    heads = {head_name(index): index for index in range(num_heads)}
    chosen = st.selectbox(
        "Head aggregation",
        [*HEAD_FUSIONS, *heads],
        key=Key.HEADS,
        bind="query-params",
        help="How the attention heads of a layer are made one: their mean, the largest weight of any, the smallest, "
        "or one head by itself.",
    )
    return heads.get(chosen, chosen)


def head_name(index: int) -> str:
    return f"head {index + 1}"


def _query(grid_side: int) -> tuple[int, int] | None:
    query = st.segmented_control(
        "Query",
        ["Output tokens", "Patch"],
        default="Output tokens",
        required=True,
        key=Key.QUERY,
        bind="query-params",
        help="Whose information is traced: that of the tokens which the prediction is made from, or of one patch. "
        "A click on a map picks the patch.",
    )
    if query != "Patch":
        return None
    row, column = (
        place.number_input(title, 1, grid_side, (grid_side + 1) // 2, key=key, bind="query-params")
        for place, title, key in zip(st.columns(2), ("Row", "Column"), (Key.ROW, Key.COLUMN), strict=True)
    )
    return row - 1, column - 1


def _advanced(traced: bool, compat: bool) -> tuple[str, str, float, str]:
    cmap = st.selectbox("Colours", COLOUR_MAPS, key="att_colours", bind="query-params")
    if not traced:
        return cmap, "matrix", 0.5, "mixed"
    scope = st.segmented_control(
        "Discard scope",
        SCOPES,
        default=SCOPES[0],
        required=True,
        disabled=compat,
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
        ROW_NORMS,
        default=ROW_NORMS[0],
        required=True,
        disabled=compat,
        key="att_norm",
        bind="query-params",
        help="mixed normalises attention and residual together; attention normalises the attention first, so that the "
        "residual keeps its share whatever is discarded.",
    )
    return cmap, scope, residual, row_norm
