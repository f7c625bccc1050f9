"""Pictures of what models look at: looks kept in memory, and maps coloured, enlarged and packed for the browser.

Knows caches and pixels; no widgets, and no tensors, which stay inside deit_core. Loads torch when the first model is
asked to look at something, never before.

    S img_size, C channels, gh x gw patches
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

if TYPE_CHECKING:
    from deit_core.attention import Look, PatchMap, PreparedRollout
    from deit_core.models import ModelCard

Pixels = NDArray[np.uint8]

SIDE = 480  # pixels of a picture at least; browsers make it smaller, which leaves patches sharp


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (H, W, 3) that models are shown; `key` stands for them in the caches, `truth` is their class if known."""

    key: str
    pixels: Pixels
    truth: str | None = None
    invert: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """A checkpoint's look at a picture: `pixels` (C, S, S) is all that the model saw of it."""

    key: tuple[str, int, str]
    card: "ModelCard"
    pixels: Pixels
    look: "Look"


@dataclass(frozen=True)
class Style:
    """How maps are coloured: `vmax` is the end of the scale in "x uniform", `smooth` blends between patches."""

    vmax: float
    cmap: str
    smooth: bool

    @property
    def interpolation(self) -> str:
        return "bilinear" if self.smooth else "nearest"


def see(checkpoint: Path, picture: Picture) -> Seen:
    """Show a picture to a checkpoint's model, or recall what it saw.

    Raises: DeitError where the checkpoint is missing or damaged, or its model has no attention.
    """
    changed_at = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    return _see(str(checkpoint), changed_at, f"{picture.key} {picture.invert}", picture)


def patch_map(seen: Seen, *, head_fusion: str, scope: str, **changing: Any) -> "PatchMap":
    """The rollout of a look; `changing` are the arguments of `PreparedRollout.map`, which cost nearly nothing.

    Raises: DeitError for what `rollout` refuses.
    """
    return _prepare(*seen.key, head_fusion, scope, seen.look).map(**changing)


def scale(maps: Sequence[NDArray[np.float32]]) -> float:
    """One end of the colour scale for all of these maps, in "x uniform"."""
    from deit_core.attention import shared_vmax

    return shared_vmax(maps)


@st.cache_resource(max_entries=16, show_spinner=False)
def decode(key: str, _file: io.BytesIO) -> Pixels:
    """The pixels of an upload; `key` stands for its content. Raises: DataError for what is no image."""
    from deit_core.data.inputs import decode_image

    return decode_image(_file.getvalue())


@st.cache_resource(max_entries=8, show_spinner=False)
def _load(path: str, changed_at: int) -> tuple["ModelCard", Callable[[Pixels], "Look"]]:
    """A checkpoint's card, and its model as something that looks at images (B, C, S, S)."""
    from deit_core.attention import look
    from deit_core.models import load_checkpoint, read_card

    card = read_card(path)
    return card, partial(look, load_checkpoint(path), card)


@st.cache_resource(max_entries=8, show_spinner=False)
def _see(path: str, changed_at: int, key: str, _picture: Picture) -> Seen:
    from deit_core.data.inputs import fit_image

    card, look = _load(path, changed_at)
    pixels = fit_image(
        _picture.pixels, img_size=card.spec.data.img_size, in_chans=card.in_chans, invert=_picture.invert
    )
    return Seen((path, changed_at, key), card, pixels, look(pixels[None]))


@st.cache_resource(max_entries=16, show_spinner=False)
def _prepare(path: str, changed_at: int, key: str, head_fusion: str, scope: str, _look: "Look") -> "PreparedRollout":
    from deit_core.attention import PreparedRollout

    return PreparedRollout(_look, head_fusion=head_fusion, scope=scope)


def input_png(pixels: Pixels, *, grid_size: tuple[int, int], outlined: tuple[int, int] | None = None) -> bytes:
    """What a model saw, pixel by pixel; the patch at `outlined` (row, column) has a frame."""
    picture = _enlarge(_channels_last(pixels))
    if outlined is not None:
        height, width = (side // count for side, count in zip(picture.shape, grid_size, strict=False))
        top, left = outlined[0] * height, outlined[1] * width
        for colour, inset in ((0, 2), (255, 6)):  # dark and light, so that it shows on any picture
            corners = (left + inset, top + inset), (left + width - inset - 1, top + height - inset - 1)
            cv2.rectangle(picture, *corners, (colour,) * 3, thickness=4)
    return _png(picture)


def map_png(values: NDArray[np.float32], style: Style) -> bytes:
    """A map (gh, gw) by itself."""
    from deit_core.attention import colourise

    picture = colourise(
        values,
        vmax=style.vmax,
        cmap=style.cmap,
        interpolation=style.interpolation,
        size=_enlarged(values.shape) if style.smooth else None,
    )
    return _png(_enlarge(picture))


def overlay_png(pixels: Pixels, values: NDArray[np.float32], style: Style, *, opacity: float) -> bytes:
    """A map (gh, gw) over what the model saw."""
    from deit_core.attention import overlay

    picture = overlay(
        _channels_last(pixels),
        values,
        vmax=style.vmax,
        alpha=opacity,
        cmap=style.cmap,
        interpolation=style.interpolation,
        size=_enlarged(pixels.shape[1:]) if style.smooth else None,
    )
    return _png(_enlarge(picture))


def map_npz(seen: Seen, found: "PatchMap", settings: dict[str, Any]) -> bytes:
    """A map as numbers, and how it came about: `numpy.load` reads it, `json.loads` its settings."""
    described = settings | {"checkpoint": seen.key[0], "epoch": seen.card.epoch, "image": seen.key[2]}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        map=found.values,
        prefix_mass=np.asarray(found.prefix_mass, np.float32),
        image=seen.pixels,
        settings=np.array(json.dumps(described)),
    )
    return buffer.getvalue()


def colour_bar(style: Style) -> str:
    """The scale of a map as HTML, with a mark where 1 x uniform lies."""
    from deit_core.attention import colour_table

    stops = ", ".join("rgb({}, {}, {})".format(*colour) for colour in colour_table(style.cmap)[::15])
    where = f"position:absolute; left:{100 / style.vmax:.1f}%; top:-3px; bottom:-3px; border-left:2px solid"
    mark = f'<div style="{where}"></div>' if style.vmax > 1 else ""
    return (
        f'<div style="position:relative; height:10px; background:linear-gradient(to right, {stops})">{mark}</div>'
        '<div style="display:flex; justify-content:space-between; font-size:0.8rem; opacity:0.7; margin-top:4px">'
        f"<span>0</span><span>the mark: 1, no preference</span><span>≥ {style.vmax:.1f} × uniform</span></div>"
    )


def _channels_last(pixels: Pixels) -> Pixels:
    rgb = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
    return np.ascontiguousarray(rgb.transpose(1, 2, 0))


def _enlarged(size: tuple[int, ...]) -> tuple[int, int]:
    """A whole multiple of (height, width) that is large enough to look at."""
    times = -(-SIDE // min(size))
    return size[0] * times, size[1] * times


def _enlarge(picture: Pixels) -> Pixels:
    height, width = _enlarged(picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)


def _png(picture: Pixels) -> bytes:
    # Of an enlarged picture most rows equal the one above: with this filter three times faster than by default.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    return encoded.tobytes()
