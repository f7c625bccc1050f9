"""The map of a model for a picture: a transformer's rollout, or a CNN's Grad-CAM. Knows files of weights; no pages.

C channels, S img_size, gh x gw patches
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint, Map, Picture, Pixels, Subject
from deit_core.catalog import TokenName
from deit_core.errors import DeitError
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention.drawing.cells import Cell


@dataclass(frozen=True, eq=False)
class PictureMap:
    """A model's map of a picture, over what it saw of it, (C, S, S).

    prediction, chance: the likeliest class by the head that the map is of, and its probability; none for a difference.
    is_right: whether that is the picture's class; None where the class is not known, or none of the model's.
    """

    cell: "Cell"
    pixels: Pixels
    prediction: str = ""
    chance: float = 0.0
    is_right: bool | None = None

    @property
    def uniform(self) -> Map:
        """The map in "x uniform"."""
        return self.cell.values * np.float32(self.cell.values.size)


def grad_cam_map(checkpoint: Checkpoint, picture: Picture, spec: RolloutSpec) -> PictureMap:
    """The map of a CNN by Grad-CAM, for the class that `spec` names. Raises: DeitError where the model has no such."""
    from deit_core.attention.drawing.cells import Cell

    card = images.viewer(checkpoint).card
    target = None if spec.target is None else card.class_index(spec.target)
    values = images.explain(checkpoint, picture, "grad_cam", query="head", target=target)
    best = _best(images.predict(checkpoint, picture), card.classes, picture.truth)
    return PictureMap(Cell("", values, "teacher", degenerate=not values.any()), images.fit(checkpoint, picture), *best)


def token_map(subject: Subject, token: TokenName, spec: RolloutSpec) -> PictureMap:
    """The map of one of a transformer's tokens. Raises: DeitError where these settings do not fit the model."""
    from deit_core.attention.drawing.views import token_cell

    cell = token_cell(subject, fitted(spec, subject), token)
    if token == "difference":
        return PictureMap(cell, subject.pixels)
    probabilities = subject.look.probabilities()
    chances = probabilities.get(token, probabilities["mean"])
    return PictureMap(cell, subject.pixels, *_best(chances, subject.card.classes, subject.picture.truth))


def kept_by_tokens(subject: Subject, token: TokenName, spec: RolloutSpec) -> dict[str, float]:
    """The shares of a rollout that stay in the tokens before the patches, by the name of the token.

    Raises: DeitError where these settings do not fit the model.
    """
    from deit_core.attention.drawing.views import rollout_of

    first, *others = rollout_of(subject, fitted(spec, subject), token).prefix_mass
    shares = {"class token": first}
    if "distillation" in subject.look.shares:
        shares["distillation token"] = others.pop(0)
    return shares | ({"registers": sum(others)} if others else {})


def fitted(spec: RolloutSpec, subject: Subject) -> RolloutSpec:
    """The spec for a model that may be smaller than the largest shown: its layers alone, the nearest of its patches.

    Raises: DeitError where it has none of the layers.
    """
    depth, (rows, columns) = len(subject.look.attention), subject.look.grid_size
    layers = spec.layers and tuple(layer for layer in spec.layers if layer <= depth)
    if spec.layers and not layers:
        raise DeitError(
            f"{subject.card.name!r} has {depth} layers; begin with layer {depth} or an earlier one to see its map."
        )
    return spec.with_changes(
        layers=layers,
        row=spec.row and min(spec.row, rows),
        column=spec.column and min(spec.column, columns),
    )


def _best(chances: Map, classes: Sequence[str], truth: str | None) -> tuple[str, float, bool | None]:
    index = int(chances.argmax())
    return classes[index], float(chances[index]), classes[index] == truth if truth in classes else None
