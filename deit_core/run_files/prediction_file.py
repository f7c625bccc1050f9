"""The predictions of a run as a file in its folder: what the model answers for each test and validation image.

Knows arrays and files; nothing of models, and not what a prediction is good for. Loads no torch.

    N images, K classes, D width of an embedding
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from deit_core.errors import RunError
from deit_core.files import write_atomically

KEPT_BYTES = 256 * 2**20  # of a file: where all would take more, only labels and logits are kept

LEFT_OUT = (
    "Heads and embeddings are not among these predictions, since a file of all would be larger than "
    f"{KEPT_BYTES // 2**20} MB."
)

_FACTS, _HASH = "deit_lab_predictions", "deit_lab_predictions_sha256"
_MOST_FACTS_BYTES = 2**24  # the names of 50,000 classes
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
    """

    classes: tuple[str, ...]
    data_hash: str
    epoch: int
    logits_alone: bool = False


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
        prefix + name: np.ascontiguousarray(array)
        for part, prefix in zip((test, val), _PREFIXES.values(), strict=True)
        for name, array in part.arrays.items()
    }
    text = _READ_FACTS.dump_json(facts).decode()
    content = save(arrays, metadata={_FACTS: text, _HASH: _hash(arrays, text)})
    write_atomically(path, content, makes_folder=makes_folder)


def read_predictions(path: Path) -> KeptPredictions:
    """Read a file of predictions. Names, types and shapes are checked before an array is loaded.

    Raises: RunError, one sentence, where there is none, or it is damaged or was not written here.
    """
    if not path.is_file():
        raise RunError(f"There are no predictions at {path}; {_remedy(path, 'makes')}.")
    try:
        _check_length(path)
        with safe_open(path, framework="np") as content:
            metadata = content.metadata() or {}
            facts = _facts(metadata)
            shapes = {name: _shape(content, name) for name in content.keys()}  # noqa: SIM118 it is no dictionary
            for part, prefix in _PREFIXES.items():
                own = {name.removeprefix(prefix): shape for name, shape in shapes.items() if _part(name) == part}
                _check_shapes(own, len(facts.classes))
            arrays = {name: content.get_tensor(name) for name in shapes}
        if metadata.get(_HASH) != _hash(arrays, metadata[_FACTS]):
            raise ValueError("its content is not what was written")
        test, val = (_predictions(arrays, part) for part in _PREFIXES)
    except (OSError, ValueError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"{path} is damaged or holds no predictions of DeiT Lab ({reason}); {_remedy(path, 'writes')} again."
        ) from error
    return KeptPredictions(test, val, facts, metadata[_HASH])


def _remedy(path: Path, verb: str) -> str:
    return f"`python -m deit_core predict {path.parent.name}` {verb} them"


def _check_length(path: Path) -> None:
    """The facts are read as a whole, so they must be short."""
    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > _MOST_FACTS_BYTES:
            raise ValueError("its first part is too long")


def _facts(metadata: Mapping[str, str]) -> PredictionFacts:
    if _FACTS not in metadata:
        raise ValueError("it was written by another program")
    return _READ_FACTS.validate_json(metadata[_FACTS])


def _part(name: str) -> str:
    return "val" if name.startswith(_PREFIXES["val"]) else "test"


def _shape(content: Any, name: str) -> tuple[int, ...]:
    array = content.get_slice(name)
    if array.get_dtype() != _DTYPES.get(name.removeprefix(_PREFIXES[_part(name)])):
        raise ValueError(f"{name!r} is no array of predictions")
    return tuple(array.get_shape())


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


def _predictions(arrays: Mapping[str, NDArray[Any]], part: str) -> Predictions:
    prefix = _PREFIXES[part]
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if _part(name) == part}
    found = Predictions(**own)
    if found.labels.min() < 0 or found.labels.max() >= found.logits.shape[1]:
        raise ValueError("a label is none of its classes")
    if not all(np.isfinite(array).all() for array in own.values()):
        raise ValueError("a number in it is not finite")
    return found


def _hash(arrays: Mapping[str, NDArray[Any]], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.data)
    return digest.hexdigest()
