"""One model's side of the Attention page: what it saw, what it predicts, and its map.

Knows how to draw these, and how the controls translate to each model; not which models and pictures can be chosen.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard import images
from dashboard.attention_panel import Controls
from dashboard.images import Picture, Seen, Style
from dashboard.text import escape
from deit_core.errors import DeitError

if TYPE_CHECKING:
    from deit_core.attention import PatchMap


@dataclass(frozen=True, eq=False)
class Side:
    """What a model saw, and its map or why there is none."""

    seen: Seen
    found: "PatchMap | DeitError"


def look(checkpoint: Path, picture: Picture, set_to: Controls) -> Side:
    """Show a picture to a model and trace its attention.

    Raises: DeitError where the model cannot be shown anything.
    """
    seen = images.see(checkpoint, picture)
    try:
        return Side(seen, _map(seen, set_to))
    except DeitError as error:
        return Side(seen, error)


def draw(side: Side, picture: Picture, set_to: Controls, *, vmax: float | None, name: str) -> None:
    """Draw a side into the current container.

    Args:
        vmax: end of the colour scale; None takes this map's own.
        name: tells downloads and widgets of the sides apart.
    """
    if isinstance(side.found, DeitError):
        st.info(escape(str(side.found)))
    else:
        style = Style(vmax or images.scale([side.found.values]), set_to.cmap, set_to.smooth)
        over = _draw_map(side.seen, side.found, style, set_to.opacity)
    left, right = st.columns(2)
    with left:
        _draw_input(side.seen, set_to)
    with right:
        _draw_predictions(side.seen, picture.truth)
    st.caption(_weights(side.seen))
    if not isinstance(side.found, DeitError):
        _offer_downloads(over, images.map_npz(side.seen, side.found, asdict(set_to)), name)


def _map(seen: Seen, set_to: Controls) -> "PatchMap":
    depth = len(seen.look.attention)
    layers = range(set_to.first_layer - 1, min(set_to.last_layer, depth))
    if not layers:
        raise DeitError(f"This model has {depth} layers; begin with layer {depth} or an earlier one to see its map.")
    return images.patch_map(
        seen,
        head_fusion=set_to.head_fusion,
        scope=set_to.scope,
        discard_ratio=set_to.discard_ratio,
        layers=layers,
        query=_query(seen, set_to),
        residual=set_to.residual,
        row_norm=set_to.row_norm,
    )


def _query(seen: Seen, set_to: Controls) -> str | int:
    if set_to.query == "patch":
        row, column = _patch(seen, set_to)
        return seen.look.num_prefix_tokens + row * seen.look.grid_size[1] + column
    if set_to.query == "distillation" and "distillation" not in seen.look.logits:
        raise DeitError("A plain ViT has no distillation token; choose another query to see its map.")
    return set_to.query


def _patch(seen: Seen, set_to: Controls) -> tuple[int, int]:
    """The queried patch, or the nearest to it that a model with fewer patches has."""
    rows, columns = seen.look.grid_size
    return min(set_to.row, rows - 1), min(set_to.column, columns - 1)


def _draw_input(seen: Seen, set_to: Controls) -> None:
    size = seen.pixels.shape[1]
    outlined = _patch(seen, set_to) if set_to.query == "patch" else None
    _show(
        images.input_png(seen.pixels, grid_size=seen.look.grid_size, outlined=outlined),
        f"What the model sees, {size} x {size} px",
        f"The picture as the model sees it, {size} by {size} pixels",
    )


def _draw_predictions(seen: Seen, truth: str | None) -> None:
    chances = seen.look.probabilities()
    best = _best(chances.pop("mean"), seen.card.classes)
    name = best[0][0]
    is_foreign = truth is not None and truth not in seen.card.classes
    if is_foreign:
        st.caption("This model was trained on another data set, and knows no class of this picture.")
    verdict = "" if truth is None or is_foreign else ", which is right" if name == truth else f"; its class is {truth}"
    st.markdown(escape(f"Predicts {name}{verdict}."))
    for name, chance in best:
        st.progress(chance, escape(f"{name}, {chance:.1%}"))
    for head, values in chances.items():
        listed = ", ".join(f"{name} ({chance:.0%})" for name, chance in _best(values, seen.card.classes))
        st.caption(escape(f"{head.capitalize()} head: {listed}"))


def _best(chances: NDArray[np.float32], classes: Sequence[str]) -> list[tuple[str, float]]:
    """The three likeliest classes."""
    return [(classes[index], float(chances[index])) for index in chances.argsort()[::-1][:3]]


def _draw_map(seen: Seen, found: "PatchMap", style: Style, opacity: float) -> bytes:
    """Draw a map, alone and over the picture; the latter is returned as PNG."""
    alone = images.map_png(found.values, style)
    over = images.overlay_png(seen.pixels, found.values, style, opacity=opacity)
    strongest = _strongest(found.values)
    left, right = st.columns(2)
    with left:
        _show(alone, "Rollout", f"The rollout by patch, {strongest}")
    with right:
        _show(over, "Over the picture", f"The rollout over the picture, {strongest}")
    st.html(images.colour_bar(style))
    if found.degenerate:
        st.warning("Nothing reaches a patch, so the map is empty. Lower the discard ratio, or set its scope to row.")
    st.caption(
        _origins(found),
        help="Where the queried token's information comes from. The map shows the part of the patches; the rest never "
        "left the tokens that are no patches.",
    )
    return over


def _show(png: bytes, caption: str, alt: str) -> None:
    st.image(png, caption, width="stretch", output_format="PNG", alt=alt)  # by itself it would choose JPEG


def _offer_downloads(png: bytes, npz: bytes, name: str) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Overlay as PNG", png, f"rollout-{name}.png", "image/png", key=f"att_png_{name}", on_click="ignore"
        )
        st.download_button("Map as NPZ", npz, f"rollout-{name}.npz", key=f"att_npz_{name}", on_click="ignore")


def _weights(seen: Seen) -> str:
    card = seen.card
    accuracy = card.metrics.get("val_accuracy")
    return f"Weights of epoch {card.epoch}" + ("." if accuracy is None else f", {accuracy:.1%} right on validation.")


def _strongest(values: NDArray[np.float32]) -> str:
    row, column = np.unravel_index(values.argmax(), values.shape)
    return f"strongest at row {row + 1}, column {column + 1} of {values.shape[0]} by {values.shape[1]}"


def _origins(found: "PatchMap") -> str:
    tokens = zip(("class token", "distillation token"), found.prefix_mass, strict=False)
    shares = ", ".join(f"{token} {share:.0%}" for token, share in (*tokens, ("patches", 1 - sum(found.prefix_mass))))
    return shares.capitalize()
