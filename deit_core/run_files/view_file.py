"""Training views of a student as a file in its folder: what its teacher says of them, beside their labels.

Knows arrays and files; not which views are worth a picture. Loads no torch.

    V views, K classes, P pictures
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from deit_core.run_files.array_file import Arrays, Kind, Shape, check_finite, read_arrays, write_arrays

_KIND = Kind("deit_lab_training_views", "training views")


@dataclass(frozen=True, eq=False)
class TrainingViews:
    """Training images as they were augmented, in the order of training, and a teacher's logits for them.

    labels: (V,) int64, the true classes; of two mixed images that of the larger share.
    other_labels: (V,) int64, of two mixed images that of the smaller share; -1 where nothing was mixed in.
    images: (V,) int64, the number of the training image that `labels` is of.
    logits: (V, K) float32, the teacher's.
    pictured: (P,) int64, which of the views there is a picture of.
    pictures: (P, C, height, width) uint8.
    """

    labels: NDArray[np.int64]
    other_labels: NDArray[np.int64]
    images: NDArray[np.int64]
    logits: NDArray[np.float32]
    pictured: NDArray[np.int64]
    pictures: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def decisions(self) -> NDArray[np.int64]:
        """The teacher's classes."""
        decisions: NDArray[np.int64] = self.logits.argmax(axis=1)
        return decisions


@dataclass(frozen=True)
class ViewFacts:
    """What a file of views says besides its arrays.

    classes: their names, in the order of the logits.
    epoch: the one that the views are of, from 1.
    """

    classes: tuple[str, ...]
    epoch: int


@dataclass(frozen=True, eq=False)
class KeptViews:
    """A file of training views."""

    views: TrainingViews
    facts: ViewFacts


_READ_FACTS = TypeAdapter(ViewFacts)
_DTYPES = {
    "labels": "I64",
    "other_labels": "I64",
    "images": "I64",
    "logits": "F32",
    "pictured": "I64",
    "pictures": "U8",
}
assert _DTYPES.keys() == {field.name for field in fields(TrainingViews)}


def write_views(path: Path, views: TrainingViews, facts: ViewFacts, *, makes_folder: bool = True) -> None:
    """Write a file of training views, whole or not at all, as `write_atomically` does."""
    write_arrays(path, _KIND, vars(views), _READ_FACTS.dump_json(facts).decode(), makes_folder=makes_folder)


def read_views(path: Path) -> KeptViews:
    """Read a file of training views.

    Raises: RunError, one sentence, where there is none, or it is damaged or was not written here.
    """
    return read_arrays(path, _KIND, _check, _kept)


def _check(text: str, shapes: Mapping[str, Shape]) -> None:
    facts = _READ_FACTS.validate_json(text)
    if shapes.keys() != _DTYPES.keys():
        raise ValueError("it has other arrays")
    if others := [name for name, shape in shapes.items() if shape.dtype != _DTYPES[name]]:
        raise ValueError(f"it has arrays of another type: {', '.join(others)}")
    sides = {name: shape.sides for name, shape in shapes.items()}
    if len(sides["labels"]) != 1 or len(sides["pictured"]) != 1:
        raise ValueError("it has no list of views")
    (num_views,), (num_pictures,) = sides["labels"], sides["pictured"]
    right = {"other_labels": (num_views,), "images": (num_views,), "logits": (num_views, len(facts.classes))}
    wrong = [name for name, shape in right.items() if sides[name] != shape]
    if wrong or len(sides["pictures"]) != 4 or sides["pictures"][0] != num_pictures:
        name = wrong[0] if wrong else "pictures"
        raise ValueError(f"{name} has the shape {sides[name]}, for {num_views} views with {num_pictures} pictures")


def _kept(text: str, arrays: Arrays, _hash: str) -> KeptViews:
    views, facts = TrainingViews(**arrays), _READ_FACTS.validate_json(text)
    for name, lowest, limit in (
        ("labels", 0, len(facts.classes)),
        ("other_labels", -1, len(facts.classes)),
        ("pictured", 0, len(views)),
    ):
        numbers = arrays[name]
        if len(numbers) and not lowest <= numbers.min() <= numbers.max() < limit:
            raise ValueError(f"a number of {name} has no meaning")
    check_finite({"logits": views.logits})
    return KeptViews(views, facts)
