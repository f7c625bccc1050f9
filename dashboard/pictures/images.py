"""Models and the pictures they look at, with the maps of both, kept in memory; maps packed as PNG for the browser.

Knows caches and pixels; no widgets, and no tensors, which stay inside deit_core. Loads torch when the first model is
asked to look at something, never before.

    S img_size, C channels, gh x gw patches
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.pictures.kept import kept
from deit_core.catalog import SIGNED_MAPS

if TYPE_CHECKING:
    from deit_core.attention import Faithfulness, Look, PreparedRollout, Randomised, Viewer
    from deit_core.models import Reading

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]

MODEL_BYTES = 2**30  # of models that are kept
LOOK_BYTES = 2**29  # of what they saw, and of that made ready for a slider; a film has as much again


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (H, W, 3) that models are shown; `key` stands for them in the caches, `truth` is their class if known.

    `content` is the file that they are from, if any: each model reads it as in its training.
    """

    key: str
    name: str
    pixels: Pixels
    truth: str | None = None
    invert: bool = False
    content: bytes | None = None

    @property
    def cache_key(self) -> str:
        return f"{self.key} {self.invert}"


class Checkpoint(NamedTuple):
    """A file of weights as it was when it was last written."""

    path: str
    changed_at: int

    @classmethod
    def at(cls, path: Path) -> "Checkpoint":
        return cls(str(path), path.stat().st_mtime_ns if path.exists() else 0)


@dataclass(frozen=True, eq=False)
class Subject:
    """A transformer's look at a picture, as views ask for it: `pixels` (C, S, S) is all that the model saw of it."""

    checkpoint: Checkpoint
    picture: Picture
    card: "Reading"
    pixels: Pixels
    look: "Look"

    def prepared(self, *, head_fusion: str | int, scope: str) -> "PreparedRollout":
        """Raises: DeitError for a head that the model does not have."""
        return _prepare(self.checkpoint, self.picture.cache_key, head_fusion, scope, self.look)

    def explain(self, method: str, *, query: str | int, target: int | None) -> Map:
        """Raises: DeitError for what the method refuses."""
        return explain(self.checkpoint, self.picture, method, query=query, target=target)


@kept(12, MODEL_BYTES, lambda one: one.num_bytes)
def viewer(checkpoint: Checkpoint) -> "Viewer":
    """Raises: CheckpointError where the checkpoint is missing or damaged."""
    from deit_core.attention import Viewer

    return Viewer.load(checkpoint.path)


def subject(checkpoint: Checkpoint, picture: Picture) -> Subject:
    """Show a picture to a transformer, or recall what it saw.

    Raises: DeitError where the checkpoint is missing or damaged, or its model has no attention.
    """
    return _kept_subject(checkpoint, picture.cache_key, picture)


@kept(32, LOOK_BYTES, lambda one: one.look.num_bytes)
def _kept_subject(checkpoint: Checkpoint, key: str, _picture: Picture) -> Subject:
    return _look(checkpoint, _picture)


def _look(checkpoint: Checkpoint, picture: Picture) -> Subject:
    one, pixels = viewer(checkpoint), fit(checkpoint, picture)
    return Subject(checkpoint, picture, one.card, pixels, one.look(pixels[None]))


def fit(checkpoint: Checkpoint, picture: Picture) -> Pixels:
    """What a model sees of a picture, (C, S, S)."""
    from deit_core.data.sources.decoding import fit_image, read_image

    card = viewer(checkpoint).card
    size, version = {"img_size": card.img_size, "in_chans": card.in_chans}, card.pixel_version
    if picture.content is None:
        return fit_image(picture.pixels, **size, version=version, invert=picture.invert)
    return read_image(picture.content, **size, version=version, invert=picture.invert)


@kept(128, LOOK_BYTES, lambda one: one.num_bytes)
def _prepare(checkpoint: Checkpoint, key: str, head_fusion: str | int, scope: str, _look: "Look") -> "PreparedRollout":
    return _look.prepare(head_fusion=head_fusion, scope=scope)


def explain(
    checkpoint: Checkpoint, picture: Picture, method: str, *, query: str | int = "head", target: int | None = None
) -> Map:
    """The map that a method of `METHODS` finds. Raises: DeitError for what the method refuses."""
    return _explain(checkpoint, picture.cache_key, method, query, target, picture)


@st.cache_data(max_entries=256, show_spinner=False)
def _explain(
    checkpoint: Checkpoint, key: str, method: str, query: str | int, target: int | None, _picture: Picture
) -> Map:
    from deit_core.attention import METHODS

    maps = viewer(checkpoint).explain(
        fit(checkpoint, _picture)[None], METHODS[method].explain, query=query, target=target
    )
    first: Map = maps[0]
    return first


@st.cache_data(max_entries=256, show_spinner=False)
def _predict(checkpoint: Checkpoint, key: str, _picture: Picture) -> Map:
    first: Map = viewer(checkpoint).predict(fit(checkpoint, _picture)[None])[0]
    return first


def predict(checkpoint: Checkpoint, picture: Picture) -> Map:
    """Probabilities (K,) of a picture's classes, by any model."""
    return _predict(checkpoint, picture.cache_key, picture)


def faithfulness(subject: Subject, values: Map, replacement: str, target: int | None) -> "Faithfulness":
    """How the prediction fares when patches go in a map's order. Raises: DeitError, as `faithfulness`."""
    return _faithfulness(subject.checkpoint, subject.picture.cache_key, values, replacement, target, subject)


@st.cache_resource(max_entries=64, show_spinner=False)
def _faithfulness(
    checkpoint: Checkpoint, key: str, values: Map, replacement: str, target: int | None, _subject: Subject
) -> "Faithfulness":
    one = viewer(checkpoint)
    return one.faithfulness(_subject.pixels[None], values[None], replacement=replacement, target=target)


@st.cache_resource(max_entries=16, show_spinner=False)
def randomised(
    checkpoint: Checkpoint, key: str, method: str, options: dict[str, Any], query: str | int, _pixels: Pixels
) -> "list[Randomised]":
    """A method's maps while the model is made random part by part; `options` are those of a rollout."""
    from deit_core.attention import METHODS

    explain = partial(METHODS[method].explain, query=query, **options)
    return viewer(checkpoint).randomisation_check(_pixels[None], explain)


def reel(checkpoints: Sequence[Checkpoint], picture: Picture) -> list[Subject]:
    """What the model of each epoch saw of a picture: of all epochs, or, where that is too much to keep, of some, the
    last one among them.
    """
    last = subject(checkpoints[-1], picture)
    step = math.ceil(len(checkpoints) * last.look.num_bytes / LOOK_BYTES)
    return _reel(tuple(checkpoints[::-step][::-1]), picture.cache_key, picture)


@kept(2, 2 * LOOK_BYTES, lambda subjects: sum(one.look.num_bytes for one in subjects))
def _reel(checkpoints: tuple[Checkpoint, ...], key: str, _picture: Picture) -> list[Subject]:
    return [_look(checkpoint, _picture) for checkpoint in checkpoints]


@st.cache_resource(max_entries=16, show_spinner=False)
def decode(key: str, _file: io.BytesIO) -> Pixels:
    """The pixels of an upload; `key` stands for its content. Raises: DataError for what is no image."""
    from deit_core.data.sources.decoding import decode_image

    return decode_image(_file.getvalue())


def rgb(pixels: Pixels) -> Pixels:
    """What a model saw, (C, S, S), as a picture (S, S, 3)."""
    from deit_core.attention import rgb

    return rgb(pixels)


def colour_bar(cmap: str, vmax: float, title: str) -> str:
    """The scale of maps as HTML, with a mark where 1 x uniform lies, or 0 where values have a sign."""
    from deit_core.attention import colour_table

    signed = cmap in SIGNED_MAPS
    stops = ", ".join("rgb({}, {}, {})".format(*colour) for colour in colour_table(cmap)[::15])
    low = f"−{vmax:.2g}" if signed else "0"
    where = 50.0 if signed else 100 / vmax
    at_mark = "0, both are equal" if signed else "1, all patches have the same"
    line = f"position:absolute; left:{where:.1f}%; top:-3px; bottom:-3px; border-left:2px solid"
    return (
        f'<div style="font-size:0.8rem; opacity:0.8">{title}, × uniform; at the mark, {at_mark}</div>'
        f'<div style="position:relative; height:8px; margin-top:6px; background:linear-gradient(to right, {stops})">'
        + (f'<div style="{line}"></div>' if where < 100 else "")
        + '</div><div style="display:flex; justify-content:space-between; font-size:0.8rem; opacity:0.8">'
        f"<span>{low}</span><span>≥ {vmax:.2g}</span></div>"
    )
