"""The predictions of a run as a file in its folder: what the model answers for each test and validation image.

Knows arrays and files; nothing of models, and not what a prediction is good for. Loads no torch.

    N images, K classes, D width of an embedding
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from deit_core.run_files.array_file import Arrays, Kind, Shape, check_finite, read_arrays, write_arrays

KEPT_BYTES = 256 * 2**20  # of a file: where all would take more, only labels and logits are kept

LEFT_OUT = (
    "Heads and embeddings are not among these predictions, since a file of all would be larger than "
    f"{KEPT_BYTES // 2**20} MB."
)

_KIND = Kind("deit_lab_predictions", "predictions")
_ALWAYS = ("labels", "logits")
_LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers of a model for the images of a split, in their order.

    labels: (N,) int64, the true classes.
    logits: (N, K) float32, the model's own answer; of two heads their mean.
    logits_class, logits_distillation: (N, K) float32, of a model with two heads.
    embedding_class, embedding_distillation: (N, D) float16, what each head reads; of a model with one head the first,
        where it has one.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.float32]
    logits_class: NDArray[np.float32] | None = None
    logits_distillation: NDArray[np.float32] | None = None
    embedding_class: NDArray[np.float16] | None = None
    embedding_distillation: NDArray[np.float16] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Those that there are, by their names."""
        return {name: array for name, array in vars(self).items() if array is not None}

    def without_extras(self) -> "Predictions":
        return Predictions(self.labels, self.logits)


@dataclass(frozen=True)
class PredictionFacts:
    """What a file of predictions says besides its arrays.

    classes: their names, in the order of the logits.
    data_hash: of the data set that the images are from.
    epoch: whose weights answered.
    logits_alone: heads and embeddings were left out, for their size.
    native_size: the side of the images in pixels as they were before they were resized, of a folder the median of their
        shorter sides; 0 where it is not known, as in older files.
    """

    classes: tuple[str, ...]
    data_hash: str
    epoch: int
    logits_alone: bool = False
    native_size: int = 0


@dataclass(frozen=True, eq=False)
class KeptPredictions:
    """A file of predictions. `hash` is of all that is in it."""

    test: Predictions
    val: Predictions
    facts: PredictionFacts
    hash: str


_READ_FACTS = TypeAdapter(PredictionFacts)
_PREFIXES = {"test": "", "val": "val_"}
_DTYPES = {
    "labels": "I64",
    "logits": "F32",
    "logits_class": "F32",
    "logits_distillation": "F32",
    "embedding_class": "F16",
    "embedding_distillation": "F16",
}
assert _DTYPES.keys() == {field.name for field in fields(Predictions)}


def half(embedding: NDArray[np.float32]) -> NDArray[np.float16]:
    """As embeddings are kept; numbers that are too large become the largest there is."""
    return embedding.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)


def write_predictions(
    path: Path, test: Predictions, val: Predictions, facts: PredictionFacts, *, makes_folder: bool = True
) -> None:
    """Write a file of predictions, whole or not at all, as `write_atomically` does."""
    arrays = {
        prefix + name: array
        for part, prefix in zip((test, val), _PREFIXES.values(), strict=True)
        for name, array in part.arrays.items()
    }
    write_arrays(path, _KIND, arrays, _READ_FACTS.dump_json(facts).decode(), makes_folder=makes_folder)


def read_predictions(path: Path) -> KeptPredictions:
    """Read a file of predictions.

    Raises: RunError, one sentence, where there is none, or it is damaged or was not written here.
    """
    return read_arrays(path, _KIND, _check, _kept)


def _check(text: str, shapes: Mapping[str, Shape]) -> None:
    facts = _READ_FACTS.validate_json(text)
    for name, shape in shapes.items():
        if shape.dtype != _DTYPES.get(name.removeprefix(_PREFIXES[_part(name)])):
            raise ValueError(f"{name!r} is no array of predictions")
    for part, prefix in _PREFIXES.items():
        own = {name.removeprefix(prefix): shape.sides for name, shape in shapes.items() if _part(name) == part}
        _check_shapes(own, len(facts.classes))


def _kept(text: str, arrays: Arrays, hash: str) -> KeptPredictions:
    test, val = (_predictions(arrays, part) for part in _PREFIXES)
    return KeptPredictions(test, val, _READ_FACTS.validate_json(text), hash)


def _part(name: str) -> str:
    return "val" if name.startswith(_PREFIXES["val"]) else "test"


def _check_shapes(shapes: Mapping[str, tuple[int, ...]], num_classes: int) -> None:
    """Args: shapes: of the arrays of a split, by their names."""
    if missing := set(_ALWAYS) - shapes.keys():
        raise ValueError(f"it has no {min(missing)}")
    num_images = shapes["labels"][0] if len(shapes["labels"]) == 1 else 0
    if num_images < 1:
        raise ValueError("it holds no image")
    for name, shape in shapes.items():
        is_right = name == "labels" or (len(shape) == 2 and shape[0] == num_images and shape[1] > 0)
        if not is_right or (name.startswith("logits") and shape[1] != num_classes):
            raise ValueError(f"{name} has the shape {shape}, for {num_images} images of {num_classes} classes")


def _predictions(arrays: Arrays, part: str) -> Predictions:
    prefix = _PREFIXES[part]
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if _part(name) == part}
    found = Predictions(**own)
    if found.labels.min() < 0 or found.labels.max() >= found.logits.shape[1]:
        raise ValueError("a label is none of its classes")
    check_finite(own)
    return found
