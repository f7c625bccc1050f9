"""The columns of the page, and the map of each for a picture. Knows what the panel asks of a model; no widgets."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.pictures import images
from dashboard.pictures.images import Picture
from dashboard.pictures.picture_maps import PictureMap, grad_cam_map, token_map
from dashboard.run_status import family, label
from dashboard.views.attention.model_choice import Choice
from deit_core.catalog import MapKind, TokenName
from deit_core.spec import RolloutSpec

_DEIT_OPTIONS: dict[str, TokenName] = {
    "Both tokens": "head",
    "Class token": "class",
    "Distillation token": "distillation",
    "Class − distillation": "difference",
}
TEACHER_OPTION = "Teacher"
_RESNET9_STRIDE, _TORCHVISION_STRIDE = 8, 32  # pixels per cell of the last stage
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
    def num_cells(self) -> int | None:
        """Cells of the teacher's Grad-CAM along a side of the image, where that is known of its network."""
        model, side = self.choice.run.spec.model, self.choice.run.spec.data.img_size
        if model.family == "resnet9":
            return side // _RESNET9_STRIDE
        return math.ceil((model.input_size or side) / _TORCHVISION_STRIDE) if model.family == "torchvision" else None

    @property
    def kind(self) -> MapKind:
        if self.is_teacher:
            return "teacher"
        return "difference" if self.token == "difference" else "attention"


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


def find(column: Column, picture: Picture, spec: RolloutSpec) -> PictureMap:
    """Raises: DeitError where the model cannot be shown the picture, or not with these settings."""
    checkpoint = column.choice.checkpoint
    if column.is_teacher:
        return grad_cam_map(checkpoint, picture, spec)
    return token_map(images.subject(checkpoint, picture), column.token, spec)


def _names(choices: Sequence[Choice]) -> list[str]:
    """ViT and DeiT where that tells them apart, else the runs' own names, with the epoch where both are of one run."""
    for names in ([family(choice.run) for choice in choices], [label(choice.run) for choice in choices]):
        if len(set(names)) == len(names):
            return names
    return [f"{label(choice.run)}, {choice.weights.casefold()}" for choice in choices]
