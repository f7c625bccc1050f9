"""The columns of the page, and the map of each for a picture. Knows what the controls mean for a model; no widgets.

L layers, N tokens = P prefix + gh x gw patches
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dashboard.run_status import family, label
from dashboard.views.attention import images
from dashboard.views.attention.controls import Controls
from dashboard.views.attention.images import Map, Picture, Pixels, Seen
from dashboard.views.attention.model_choice import Choice
from deit_core.errors import DeitError

if TYPE_CHECKING:
    from deit_core.attention import PatchMap

Part = Literal["head", "class", "distillation", "difference", "teacher"]
Kind = Literal["attention", "difference", "teacher"]  # maps of one kind share a scale


_DEIT_OPTIONS: dict[str, Part] = {
    "Both tokens": "head",
    "Class token": "class",
    "Distillation token": "distillation",
    "Class − distillation": "difference",
}
TEACHER_OPTION = "Teacher"
OPTIONS = (*_DEIT_OPTIONS, TEACHER_OPTION)


@dataclass(frozen=True)
class Column:
    """One model, under the name that the page has for it, seen from one of its tokens, or the teacher.

    part: "head" are the output tokens together.
    option: what the column is called where people choose columns; a column without is always shown.
    """

    model: str
    choice: Choice
    part: Part
    option: str = ""

    @property
    def title(self) -> str:
        if self.part == "teacher":
            return f"{self.model}, Grad-CAM"
        return f"{self.model}, {self.option.casefold()}" if self.option else self.model

    @property
    def kind(self) -> Kind:
        match self.part:
            case "difference" | "teacher":
                return self.part
            case _:
                return "attention"


@dataclass(frozen=True, eq=False)
class Found:
    """A column's map of a picture, over what its model saw of it.

    values: (gh, gw); for a teacher one value a pixel. Times their number they read "x uniform".
    prediction, chance: the likeliest class by the column's own head, and its probability; none for a difference.
    is_right: whether that is the picture's class; None where the class is not known, or none of the model's.
    """

    kind: Kind
    pixels: Pixels
    values: Map
    prediction: str = ""
    chance: float = 0.0
    is_right: bool | None = None
    degenerate: bool = False

    @property
    def uniform(self) -> Map:
        return self.values * np.float32(self.values.size)


def columns(choices: Sequence[Choice], teacher: Choice | None, set_to: Controls) -> list[Column]:
    """What can be shown of these models; of a DeiT each token by itself, unless a patch is the query."""
    found = []
    for choice, name in zip(choices, _names(choices), strict=True):
        if set_to.patch is not None or not choice.model.distilled:
            found.append(Column(name, choice, "head"))
        else:
            found += [Column(name, choice, part, option) for option, part in _DEIT_OPTIONS.items()]
    if teacher is not None:
        found.append(Column("Teacher", teacher, "teacher", TEACHER_OPTION))
    return found


def find(column: Column, picture: Picture, set_to: Controls) -> Found:
    """Raises: DeitError where the model cannot be shown the picture, or not with these settings."""
    checkpoint = column.choice.checkpoint
    if column.part == "teacher":
        card = images.viewer(checkpoint).card
        target = class_index(set_to.target, card.classes)
        values = images.explain(checkpoint, picture, "grad_cam", target=target)
        best = _best(images.predict(checkpoint, picture), card.classes, picture.truth)
        return Found(column.kind, images.fit(checkpoint, picture), values, *best, degenerate=not values.any())
    return find_in(images.see(checkpoint, picture), column.part, set_to)


def find_in(seen: Seen, part: Part, set_to: Controls) -> Found:
    """The map of a transformer's part. Raises: DeitError where these settings do not fit the model."""
    if part == "difference":
        first, second = (_trace(seen, one, set_to) for one in ("class", "distillation"))
        return Found("difference", seen.pixels, first.values - second.values)
    traced = _trace(seen, part, set_to)
    chances = seen.look.probabilities()["mean" if part == "head" else part]
    best = _best(chances, seen.card.classes, seen.picture.truth)
    return Found("attention", seen.pixels, traced.values, *best, degenerate=traced.degenerate)


@dataclass(frozen=True, eq=False)
class _Traced:
    values: Map
    degenerate: bool


def _trace(seen: Seen, part: str, set_to: Controls) -> "PatchMap | _Traced":
    query = token(seen, part, set_to)
    if set_to.method == "rollout":
        return rollout(seen, query, set_to)
    target = class_index(set_to.target, seen.card.classes)
    values = images.explain(seen.checkpoint, seen.picture, set_to.method, query=query, target=target)
    return _Traced(values, not values.any())


def rollout(seen: Seen, query: str | int, set_to: Controls) -> "PatchMap":
    """The rollout as the panel is set. Raises: DeitError for what the model does not have."""
    return images.rollout(seen, **set_to.fusing, query=query, layers=chosen_layers(seen, set_to), **set_to.tracing)


def chosen_layers(seen: Seen, set_to: Controls) -> range:
    """Raises: DeitError where the model has none of them."""
    depth = len(seen.look.attention)
    layers = range(set_to.first_layer - 1, min(set_to.last_layer, depth))
    if not layers:
        raise DeitError(
            f"{seen.card.name!r} has {depth} layers; begin with layer {depth} or an earlier one to see its map."
        )
    return layers


def token(seen: Seen, part: str, set_to: Controls) -> str | int:
    """The query of a column: its own token, or the patch that the panel asks for."""
    if set_to.patch is None:
        return part
    row, column = queried_patch(seen.look.grid_size, set_to.patch)
    return seen.look.num_prefix_tokens + row * seen.look.grid_size[1] + column


def queried_patch(grid_size: tuple[int, int], patch: tuple[int, int]) -> tuple[int, int]:
    """The patch, or the nearest to it that a model with fewer has."""
    return min(patch[0], grid_size[0] - 1), min(patch[1], grid_size[1] - 1)


def _names(choices: Sequence[Choice]) -> list[str]:
    """ViT and DeiT where that tells them apart, else the runs' own names, with the epoch where both are of one run."""
    for names in ([family(choice.run) for choice in choices], [label(choice.run) for choice in choices]):
        if len(set(names)) == len(names):
            return names
    return [f"{label(choice.run)}, {choice.weights.casefold()}" for choice in choices]


def class_index(name: str | None, classes: Sequence[str]) -> int | None:
    if name is None:
        return None
    if name not in classes:
        raise DeitError(f"This model knows no class {name!r}; ask about one of its own, or about the predicted class.")
    return classes.index(name)


def _best(chances: Map, classes: Sequence[str], truth: str | None) -> tuple[str, float, bool | None]:
    index = int(chances.argmax())
    return classes[index], float(chances[index]), classes[index] == truth if truth in classes else None
