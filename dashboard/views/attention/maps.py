"""The columns of the page, and the map of each for a picture. Knows what the panel asks of a model; no widgets.

C channels, S img_size, gh x gw patches
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dashboard.run_status import family, label
from dashboard.views.attention import images
from dashboard.views.attention.images import Checkpoint, Map, Picture, Pixels, Subject
from dashboard.views.attention.model_choice import Choice
from deit_core.catalog import MapKind, TokenName
from deit_core.errors import DeitError
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention.drawing.cells import Cell

_DEIT_OPTIONS: dict[str, TokenName] = {
    "Both tokens": "head",
    "Class token": "class",
    "Distillation token": "distillation",
    "Class − distillation": "difference",
}
TEACHER_OPTION = "Teacher"
OPTIONS = (*_DEIT_OPTIONS, TEACHER_OPTION)


@dataclass(frozen=True)
class Column:
    """One model, under the name that the page has for it, for one of its tokens, or the teacher.

    token: "head" are the output tokens together.
    option: what the column is called where people choose columns; a column without is always shown.
    """

    model: str
    choice: Choice
    token: TokenName
    option: str = ""
    is_teacher: bool = False

    @property
    def title(self) -> str:
        if self.is_teacher:
            return f"{self.model}, Grad-CAM"
        return f"{self.model}, {self.option.casefold()}" if self.option else self.model

    @property
    def kind(self) -> MapKind:
        if self.is_teacher:
            return "teacher"
        return "difference" if self.token == "difference" else "attention"


@dataclass(frozen=True, eq=False)
class ColumnMap:
    """A column's map of a picture, over what its model saw of it, (C, S, S).

    prediction, chance: the likeliest class by the column's own head, and its probability; none for a difference.
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


def columns(choices: Sequence[Choice], teacher: Choice | None, spec: RolloutSpec) -> list[Column]:
    """What can be shown of these models; of a DeiT each token by itself, unless a patch is the query."""
    result = []
    for choice, name in zip(choices, _names(choices), strict=True):
        if spec.query == "patch" or not choice.model.distilled:
            result.append(Column(name, choice, "patch" if spec.query == "patch" else "head"))
        else:
            result += [Column(name, choice, token, option) for option, token in _DEIT_OPTIONS.items()]
    if teacher is not None:
        result.append(Column("Teacher", teacher, "head", TEACHER_OPTION, is_teacher=True))
    return result


def find(column: Column, picture: Picture, spec: RolloutSpec) -> ColumnMap:
    """Raises: DeitError where the model cannot be shown the picture, or not with these settings."""
    if column.is_teacher:
        return _find_teachers(column.choice.checkpoint, picture, spec)
    return find_in(images.subject(column.choice.checkpoint, picture), column.token, spec)


def _find_teachers(checkpoint: Checkpoint, picture: Picture, spec: RolloutSpec) -> ColumnMap:
    from deit_core.attention.drawing.cells import Cell

    card = images.viewer(checkpoint).card
    target = None if spec.target is None else card.class_index(spec.target)
    values = images.explain(checkpoint, picture, "grad_cam", query="head", target=target)
    best = _best(images.predict(checkpoint, picture), card.classes, picture.truth)
    return ColumnMap(Cell("", values, "teacher", degenerate=not values.any()), images.fit(checkpoint, picture), *best)


def find_in(subject: Subject, token: TokenName, spec: RolloutSpec) -> ColumnMap:
    """The map of one of a transformer's tokens. Raises: DeitError where these settings do not fit the model."""
    from deit_core.attention.drawing.views import token_cell

    cell = token_cell(subject, fitted(spec, subject), token)
    if token == "difference":
        return ColumnMap(cell, subject.pixels)
    probabilities = subject.look.probabilities()
    chances = probabilities.get(token, probabilities["mean"])
    return ColumnMap(cell, subject.pixels, *_best(chances, subject.card.classes, subject.picture.truth))


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


def _names(choices: Sequence[Choice]) -> list[str]:
    """ViT and DeiT where that tells them apart, else the runs' own names, with the epoch where both are of one run."""
    for names in ([family(choice.run) for choice in choices], [label(choice.run) for choice in choices]):
        if len(set(names)) == len(names):
            return names
    return [f"{label(choice.run)}, {choice.weights.casefold()}" for choice in choices]


def _best(chances: Map, classes: Sequence[str], truth: str | None) -> tuple[str, float, bool | None]:
    index = int(chances.argmax())
    return classes[index], float(chances[index]), classes[index] == truth if truth in classes else None
