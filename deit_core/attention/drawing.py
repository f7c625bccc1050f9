"""What is drawn of one image, and how: the panels of each view, on one scale, as one sheet.

Gives the numbers too. Knows models and maps; nothing of files or pages.

Shapes: L layers, H heads, gh x gw patches, S img_size, C channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.attention.heads import head_maps
from deit_core.attention.look import Look
from deit_core.attention.methods import METHODS
from deit_core.attention.overlay import Picture, overlay, shared_vmax
from deit_core.attention.prepared import PreparedRollout
from deit_core.attention.query import Query
from deit_core.attention.sheet import Bar, contact_sheet
from deit_core.attention.viewer import Viewer
from deit_core.errors import DeitError

Map = NDArray[np.float32]

VIEWS = ("maps", "depth", "heads", "variants")
FUSIONS_SHOWN = ("mean", "max", "min")
RATIOS_SHOWN = (0.0, 0.5, 0.9, 0.95)
SIGNED_MAP = "coolwarm"

_SIDE = 224  # pixels of a smoothed panel
_TITLES = {"head": "Output", "class": "Class token", "distillation": "Distillation token"}


@dataclass(frozen=True)
class Drawing:
    """What is drawn, and how; all of it is written into the files.

    method: a key of `METHODS`; None takes rollout for a transformer, Grad-CAM for a CNN.
    view: "maps"; "depth", the rollout below each layer; "heads", each head by itself; or "variants", fusions x ratios.
    query: None shows a DeiT's class and distillation token and their difference beside both together.
    target: the class asked about, by name; None is the predicted one.
    vmax: end of the colour scale in "x uniform"; None takes each file's own 99th percentile.
    The rest is as `rollout` and `overlay` take it.
    """

    method: str | None = None
    view: str = "maps"
    query: Query | None = None
    target: str | None = None
    head_fusion: str | int = "mean"
    discard_ratio: float = 0.0
    scope: str = "matrix"
    layers: tuple[int, ...] | None = None
    residual: float = 0.5
    row_norm: str = "mixed"
    compat: bool = False
    cmap: str = "inferno"
    opacity: float = 0.7
    smooth: bool = False
    invert: bool = False
    vmax: float | None = None


class _Panel(NamedTuple):
    title: str
    values: Map
    signed: bool = False


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet of panels, and the maps (gh, gw) on it by their titles."""

    picture: Picture
    maps: dict[str, Map]


def draw(viewer: Viewer, pixels: Picture, drawing: Drawing, method: str) -> Sheet:
    """Draw one image as a model saw it, (C, S, S) uint8, beside its maps.

    Raises: DeitError where the model cannot be explained like this, or an option is out of bounds.
    """
    rows, row_titles = _rows(viewer, pixels, drawing, method)
    maps = {
        f"{title} {panel.title}".strip(): panel.values
        for title, row in zip(row_titles or [""], rows, strict=True)
        for panel in row
    }
    return Sheet(_sheet(pixels, rows, row_titles, drawing), maps)


def choose_method(viewer: Viewer, drawing: Drawing) -> str:
    """The method that is asked for, or the model's own.

    Raises: DeitError where there is no such method or view, or the method has no such view.
    """
    method = drawing.method or ("rollout" if viewer.is_transformer else "grad_cam")
    if method not in METHODS:
        raise DeitError(f"There is no method {method!r}; choose {', '.join(METHODS)}.")
    if drawing.view not in VIEWS:
        raise DeitError(f"There is no view {drawing.view!r}; choose {', '.join(VIEWS)}.")
    if drawing.view != "maps" and method != "rollout":
        raise DeitError(f"The view {drawing.view} is of the rollout; leave out the method, or choose the view maps.")
    return method


def _rows(viewer: Viewer, pixels: Picture, drawing: Drawing, method: str) -> tuple[list[list[_Panel]], list[str]]:
    if method != "rollout":
        return [_explained(viewer, pixels, drawing, method)], []
    look = viewer.look(pixels[None])
    match drawing.view:
        case "maps":
            return [_traced(look, drawing)], []
        case "depth":
            return [_by_depth(look, drawing)], []
        case "heads":
            return _by_head(look, drawing)
        case _:
            return _variants(look, drawing)


def _explained(viewer: Viewer, pixels: Picture, drawing: Drawing, method: str) -> list[_Panel]:
    """Any method but a rollout."""
    classes = viewer.card.classes
    if drawing.target is not None and drawing.target not in classes:
        raise DeitError(f"The model knows no class {drawing.target!r}; choose {', '.join(classes[:10])} …")
    target = None if drawing.target is None else classes.index(drawing.target)
    found = {
        query: viewer.explain(pixels[None], METHODS[method].explain, query=query, target=target)[0]
        for query in _queries(drawing, is_distilled=getattr(viewer.model, "distilled", False))
    }
    return _with_difference(found)


def _traced(look: Look, drawing: Drawing) -> list[_Panel]:
    prepared = PreparedRollout(look, head_fusion=drawing.head_fusion, scope=drawing.scope)
    queries = _queries(drawing, is_distilled="distillation" in look.logits)
    return _with_difference({query: prepared.map(**_options(drawing, query)).values for query in queries})


def _by_depth(look: Look, drawing: Drawing) -> list[_Panel]:
    prepared = PreparedRollout(look, head_fusion=drawing.head_fusion, scope=drawing.scope)
    trace = prepared.map(**_options(drawing, _one_query(drawing))).trace
    return [
        _Panel(f"Below layer {len(trace) - step}", shares[look.num_prefix_tokens :].reshape(look.grid_size))
        for step, shares in enumerate(trace)
    ]


def _by_head(look: Look, drawing: Drawing) -> tuple[list[list[_Panel]], list[str]]:
    maps = head_maps(
        look.attention,
        num_prefix_tokens=look.num_prefix_tokens,
        grid_size=look.grid_size,
        query=_one_query(drawing),
    )[:, 0].numpy()  # L H gh gw
    rows = [[_Panel(f"Head {head + 1}", values) for head, values in enumerate(layer)] for layer in maps]
    return rows, [f"Layer {layer + 1}" for layer in range(len(maps))]


def _variants(look: Look, drawing: Drawing) -> tuple[list[list[_Panel]], list[str]]:
    rows = []
    for fusion in FUSIONS_SHOWN:
        prepared = PreparedRollout(look, head_fusion=fusion, scope=drawing.scope)
        options = _options(drawing, _one_query(drawing))
        maps = [prepared.map(**options | {"discard_ratio": ratio}).values for ratio in RATIOS_SHOWN]
        rows.append([_Panel(f"Discard {ratio:g}", values) for ratio, values in zip(RATIOS_SHOWN, maps, strict=True)])
    return rows, list(FUSIONS_SHOWN)


def _options(drawing: Drawing, query: Query) -> dict[str, Any]:
    return {
        "query": query,
        "discard_ratio": drawing.discard_ratio,
        "layers": drawing.layers,
        "residual": drawing.residual,
        "row_norm": drawing.row_norm,
        "compat": drawing.compat,
    }


def _queries(drawing: Drawing, *, is_distilled: bool) -> tuple[Any, ...]:
    if drawing.query is not None:
        return (drawing.query,)
    return ("head", "class", "distillation") if is_distilled else ("head",)


def _one_query(drawing: Drawing) -> Query:
    return "head" if drawing.query is None else drawing.query


def _with_difference(found: Mapping[Any, Map]) -> list[_Panel]:
    panels = [_Panel(_TITLES.get(query, f"Token {query}"), values) for query, values in found.items()]
    if len(found) > 1:
        panels.append(_Panel("Class - distillation", found["class"] - found["distillation"], signed=True))
    return panels


def _sheet(pixels: Picture, rows: Sequence[Sequence[_Panel]], row_titles: Sequence[str], drawing: Drawing) -> Picture:
    shown = np.ascontiguousarray(np.broadcast_to(pixels.transpose(1, 2, 0), (*pixels.shape[1:], 3)))
    panels = [panel for row in rows for panel in row]
    vmax = drawing.vmax or shared_vmax(panel.values for panel in panels if not panel.signed)
    note = ""
    for panel in panels:
        if panel.signed:
            note = f"{panel.title}: blue to red, up to {shared_vmax([panel.values]):.2g} x uniform either way."
    painted = [[shown, *(_paint(shown, panel, drawing, vmax) for panel in row)] for row in rows]
    return contact_sheet(
        painted,
        columns=["Image", *(panel.title for panel in rows[0])],
        row_titles=row_titles,
        bar=Bar(drawing.cmap, vmax),
        note=note,
    )


def _paint(shown: Picture, panel: _Panel, drawing: Drawing, vmax: float) -> Picture:
    return overlay(
        shown,
        panel.values,
        vmax=None if panel.signed else vmax,
        alpha=drawing.opacity,
        cmap=SIGNED_MAP if panel.signed else drawing.cmap,
        interpolation="bilinear" if drawing.smooth else "nearest",
        size=(_SIDE, _SIDE) if drawing.smooth else None,
    )
