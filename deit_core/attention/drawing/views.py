"""What is drawn of one image, and how: the panels of each view, on one scale, as one sheet.

Gives the numbers too. Knows models and maps; nothing of files or pages.

Shapes: L layers, H heads, gh x gw patches, S img_size, C channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.attention.drawing.overlay import Picture, overlay, shared_vmax
from deit_core.attention.drawing.sheet import Bar, contact_sheet
from deit_core.attention.flow.head_maps import head_maps
from deit_core.attention.flow.query import Query
from deit_core.attention.look import Look
from deit_core.attention.methods.table import METHODS
from deit_core.attention.viewer import Viewer
from deit_core.catalog import HEAD_FUSIONS, SIGNED_MAPS, VARIANT_RATIOS
from deit_core.errors import DeitError

Map = NDArray[np.float32]

VIEWS = ("maps", "depth", "heads", "variants", "film")

_SIDE = 224  # pixels of a smoothed panel at least
_OF_ROLLOUT = ("head_fusion", "discard_ratio", "scope", "layers", "residual", "row_norm", "compat")  # of `Drawing`
_TITLES = {"head": "Output", "class": "Class token", "distillation": "Distillation token"}


@dataclass(frozen=True)
class Drawing:
    """What is drawn, and how; all of it is written into the files.

    method: a key of `METHODS`; None takes rollout for a transformer, Grad-CAM for a CNN.
    view: "maps"; "depth", the rollout below each layer; "heads", each head by itself; "variants", fusions x ratios; or
        "film", the maps after each epoch.
    query: None shows a DeiT's class and distillation token and their difference beside both together.
    target: the class asked about, by name; None is the predicted one.
    vmax: end of the colour scale in "x uniform"; None takes each file's own 99th percentile. A difference has its own.
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


class _Scale(NamedTuple):
    vmax: float
    signed_vmax: float


Rows = Sequence[Sequence[_Panel]]


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
    return Sheet(_sheet(pixels, rows, row_titles, drawing, _scale(rows, drawing)), maps)


def draw_film(epochs: Mapping[str, Viewer], pixels: Picture, drawing: Drawing, method: str) -> list[Picture]:
    """The maps of one image by the model of each epoch, on one scale: a frame an epoch, with its name.

    Raises: DeitError, as `draw`.
    """
    found = {name: _rows(viewer, pixels, drawing, method)[0] for name, viewer in epochs.items()}
    scale = _scale([row for rows in found.values() for row in rows], drawing)
    return [_sheet(pixels, rows, [], drawing, scale, title=name) for name, rows in found.items()]


def choose_method(viewer: Viewer, drawing: Drawing) -> str:
    """The method that is asked for, or the model's own.

    Raises: DeitError where there is no such method or view, the method has no such view, or the picture would not
        depend on an option that is set.
    """
    method = drawing.method or ("rollout" if viewer.is_transformer else "grad_cam")
    if method not in METHODS:
        raise DeitError(f"There is no method {method!r}; choose {', '.join(METHODS)}.")
    if drawing.view not in VIEWS:
        raise DeitError(f"There is no view {drawing.view!r}; choose {', '.join(VIEWS)}.")
    if drawing.view not in ("maps", "film") and method != "rollout":
        raise DeitError(f"The view {drawing.view} is of a rollout, not of {method}; choose the view maps.")
    if unused := _unused_options(drawing, method):
        raise DeitError(
            f"The {drawing.view} of {method} do not depend on {' or '.join(unused)}; leave that out, or choose another "
            "method or view."
        )
    return method


def _unused_options(drawing: Drawing, method: str) -> list[str]:
    """The options that are set, though nothing that is drawn depends on them."""
    unused = [] if METHODS[method].facts.class_specific else ["target"]
    if method != "rollout" or drawing.view == "heads":
        unused += _OF_ROLLOUT
    elif drawing.view == "variants":
        unused += ["head_fusion", "discard_ratio"]
    return [name for name in unused if getattr(drawing, name) != getattr(Drawing, name)]


def _rows(viewer: Viewer, pixels: Picture, drawing: Drawing, method: str) -> tuple[list[list[_Panel]], list[str]]:
    if method != "rollout":
        return [_explained(viewer, pixels, drawing, method)], []
    look = viewer.look(pixels[None])
    match drawing.view:
        case "maps" | "film":
            return [_traced(look, drawing)], []
        case "depth":
            return [_by_depth(look, drawing)], []
        case "heads":
            return _by_head(look, drawing)
        case _:
            return _variants(look, drawing)


def _explained(viewer: Viewer, pixels: Picture, drawing: Drawing, method: str) -> list[_Panel]:
    """Any method but a rollout."""
    target = None if drawing.target is None else viewer.card.class_index(drawing.target)
    found = {
        query: viewer.explain(pixels[None], METHODS[method].explain, query=query, target=target)[0]
        for query in _queries(drawing, is_distilled=getattr(viewer.model, "distilled", False))
    }
    return _with_difference(found)


def _traced(look: Look, drawing: Drawing) -> list[_Panel]:
    prepared = look.prepare(head_fusion=drawing.head_fusion, scope=drawing.scope)
    queries = _queries(drawing, is_distilled="distillation" in look.logits)
    return _with_difference({query: prepared.map(**_options(drawing, query)).values for query in queries})


def _by_depth(look: Look, drawing: Drawing) -> list[_Panel]:
    prepared = look.prepare(head_fusion=drawing.head_fusion, scope=drawing.scope)
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
    for fusion in HEAD_FUSIONS:
        prepared = look.prepare(head_fusion=fusion, scope=drawing.scope)
        options = _options(drawing, _one_query(drawing))
        maps = [prepared.map(**options | {"discard_ratio": ratio}).values for ratio in VARIANT_RATIOS]
        rows.append([_Panel(f"Discard {ratio:g}", values) for ratio, values in zip(VARIANT_RATIOS, maps, strict=True)])
    return rows, list(HEAD_FUSIONS)


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


def _sheet(
    pixels: Picture, rows: Rows, row_titles: Sequence[str], drawing: Drawing, scale: _Scale, title: str = "Image"
) -> Picture:
    shown = np.ascontiguousarray(np.broadcast_to(pixels.transpose(1, 2, 0), (*pixels.shape[1:], 3)))
    painted = [[shown, *(_paint(shown, panel, drawing, scale) for panel in row)] for row in rows]
    signed = [panel.title for row in rows for panel in row if panel.signed]
    return contact_sheet(
        painted,
        columns=[title, *(panel.title for panel in rows[0])],
        row_titles=row_titles,
        bar=Bar(drawing.cmap, scale.vmax),
        note=f"{signed[0]}: blue to red, up to {scale.signed_vmax:.2g} x uniform either way." if signed else "",
    )


def _paint(shown: Picture, panel: _Panel, drawing: Drawing, scale: _Scale) -> Picture:
    side = max(_SIDE, *shown.shape[:2])
    return overlay(
        shown,
        panel.values,
        vmax=scale.signed_vmax if panel.signed else scale.vmax,
        alpha=drawing.opacity,
        cmap=SIGNED_MAPS[0] if panel.signed else drawing.cmap,
        interpolation="bilinear" if drawing.smooth else "nearest",
        size=(side, side) if drawing.smooth else None,
    )


def _scale(rows: Rows, drawing: Drawing) -> _Scale:
    """One scale for all panels, and one for those with a sign."""
    panels = [panel for row in rows for panel in row]
    plain, signed = ([panel.values for panel in panels if panel.signed is sign] for sign in (False, True))
    return _Scale(
        vmax=shared_vmax(plain) if drawing.vmax is None else drawing.vmax,
        signed_vmax=shared_vmax(signed) if signed else 1.0,
    )
