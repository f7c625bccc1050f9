"""The controls of the Attention page, made of the fields of a `RolloutSpec`. Knows widgets; no models, no pictures."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import streamlit as st

from dashboard.address import whole_number
from dashboard.components.panels import Pick
from dashboard.fields import help_of, label_of
from deit_core.catalog import COLOUR_MAPS, HEAD_FUSIONS, METHODS, ROW_NORMS, SCOPES
from deit_core.spec import RolloutSpec

_METHODS = {name: facts for name, facts in METHODS.items() if facts.family == "vit"}
_PREDICTED = "Predicted class"
_QUERIES = {"Output tokens": "outputs", "Patch": "patch"}  # each token by itself is a column of the page
_FIELDS = RolloutSpec.model_fields


class Key(StrEnum):
    """The widget of each field, and its name in the address."""

    METHOD = "att_method"
    TARGET = "att_target"
    QUERY = "att_query"
    ROW = "att_row"
    COLUMN = "att_column"
    DISCARD_RATIO = "att_discard"
    LAYERS = "att_layers"
    HEAD_FUSION = "att_heads"
    SMOOTH = "att_smooth"
    OPACITY = "att_opacity"
    SHARED_SCALE = "att_shared"
    COMPAT = "att_compat"
    CMAP = "att_colours"
    VMAX = "att_vmax"
    SCOPE = "att_scope"
    RESIDUAL = "att_residual"
    ROW_NORM = "att_norm"


def controls(*, depth: int, num_heads: int, grid_side: int, classes: Sequence[str]) -> RolloutSpec:
    """Draw the panel. A field that the method does not have keeps its default.

    Args:
        depth, num_heads, grid_side: layers, heads and patches along a side of the largest model shown.
        classes: what the first model tells apart.
    """
    method = _method()
    chosen: dict[str, Any] = {"method": method}
    if _METHODS[method].class_specific:
        chosen["target"] = _target(classes)
    if method == "rollout":
        chosen |= {"discard_ratio": _discard_ratio(), "layers": _layers(depth), "head_fusion": _head_fusion(num_heads)}
    if not _METHODS[method].class_specific:
        chosen |= _query(grid_side)
    opacity = _default("opacity")
    chosen["opacity"] = st.slider(**_widget("opacity"), min_value=0.0, max_value=1.0, value=opacity, step=0.05)
    chosen["smooth"] = st.toggle(**_widget("smooth"))
    chosen["shared_scale"] = st.toggle(**_widget("shared_scale"), value=True)
    if method == "rollout":
        chosen["compat"] = st.toggle(**_widget("compat"))
    with st.popover("Advanced", width="stretch"):
        chosen |= _colours(shared_scale=chosen["shared_scale"])
        if method == "rollout":
            chosen |= _advanced(compat=chosen["compat"])
    return RolloutSpec(**chosen)


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


def head_name(number: int) -> str:
    return f"head {number}"


def _widget(name: str) -> dict[str, Any]:
    """What the widget of any field has."""
    return _words(name) | {"bind": "query-params"}


def _words(name: str) -> dict[str, Any]:
    info = _FIELDS[name]
    return {"label": label_of(name, info), "help": help_of(name, info), "key": Key[name.upper()]}


def _default(name: str) -> Any:
    return _FIELDS[name].default


def _method() -> str:
    widget = _widget("method")
    methods = "\n\n".join(f"**{facts.title}**: {facts.summary} {facts.source}." for facts in METHODS.values())
    widget["help"] += f"\n\n{methods}"
    chosen: str = st.selectbox(options=list(_METHODS), format_func=lambda name: _METHODS[name].title, **widget)
    return chosen


def _target(classes: Sequence[str]) -> str | None:
    chosen = st.selectbox(options=[_PREDICTED, *classes], **_widget("target"))
    return None if chosen == _PREDICTED else chosen


def _discard_ratio() -> float:
    chosen: float = st.slider(**_widget("discard_ratio"), min_value=0.0, max_value=0.99, step=0.01)
    return chosen


def _layers(depth: int) -> tuple[int, ...] | None:
    if depth == 1:  # a slider needs two ends
        return None
    ends = st.slider(**_widget("layers"), min_value=1, max_value=depth, value=(1, depth))
    first, last = sorted(ends)  # an address may have them in either order
    return None if (first, last) == (1, depth) else tuple(range(first, last + 1))


def _head_fusion(num_heads: int) -> str | int:
    """A fusion's name, or a head's number."""
    heads = {head_name(number): number for number in range(1, num_heads + 1)}
    chosen: str = st.selectbox(options=[*HEAD_FUSIONS, *heads], **_widget("head_fusion"))
    return heads.get(chosen, chosen)


def _query(grid_side: int) -> dict[str, Any]:
    widget = _widget("query")
    widget["help"] += " A click on a map picks the patch."
    query = _QUERIES[st.segmented_control(options=list(_QUERIES), default="Output tokens", required=True, **widget)]
    if query != "patch":
        return {"query": query}
    middle = (grid_side + 1) // 2
    places = zip(("row", "column"), st.columns(2), strict=True)
    return {"query": query} | {
        name: whole_number(**_words(name), low=1, high=grid_side, value=middle, place=place) for name, place in places
    }


def _colours(*, shared_scale: bool) -> dict[str, Any]:
    cmap = st.selectbox(options=COLOUR_MAPS, **_widget("cmap"))
    vmax = st.number_input(
        **_widget("vmax"), min_value=0.1, max_value=1e6, value=None, step=0.5, disabled=not shared_scale
    )
    return {"cmap": cmap, "vmax": vmax if shared_scale else None}


def _advanced(*, compat: bool) -> dict[str, Any]:
    """vit-explain has neither scope nor row norm: what these are set to waits until it is off."""
    scope = st.segmented_control(
        options=SCOPES, default=_default("scope"), required=True, disabled=compat, **_widget("scope")
    )
    residual = st.slider(**_widget("residual"), min_value=0.0, max_value=1.0, value=_default("residual"), step=0.05)
    row_norm = st.segmented_control(
        options=ROW_NORMS, default=_default("row_norm"), required=True, disabled=compat, **_widget("row_norm")
    )
    return {"residual": residual} | ({} if compat else {"scope": scope, "row_norm": row_norm})
