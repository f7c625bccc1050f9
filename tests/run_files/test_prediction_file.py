"""A file of predictions gives back what was written, and whatever else lies in its place is one sentence."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from deit_core.errors import RunError
from deit_core.run_files.prediction_file import PredictionFacts, Predictions, half, read_predictions, write_predictions

FACTS = PredictionFacts(("cat", "犬", 'a "b"\\'), "hash of the data", 7)


def made(num_images: int, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    logits = [rng.normal(size=(num_images, 3)).astype(np.float32) for _ in range(3)]
    embeddings = [half(rng.normal(size=(num_images, 5)).astype(np.float32)) for _ in range(2)]
    return Predictions(rng.integers(3, size=num_images), *logits, *embeddings)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "b3a0b56d").mkdir()
    path = tmp_path / "b3a0b56d" / "predictions.safetensors"
    write_predictions(path, made(4), made(2, seed=1), FACTS)
    return path


def test_what_is_read_is_what_was_written(file: Path) -> None:
    kept = read_predictions(file)
    assert kept.facts == FACTS
    for found, written in ((kept.test, made(4)), (kept.val, made(2, seed=1))):
        assert found.arrays.keys() == written.arrays.keys()
        for name, array in written.arrays.items():
            assert found.arrays[name].dtype == array.dtype
            assert np.array_equal(found.arrays[name], array)


def test_the_names_in_the_file_are_those_of_the_docs(file: Path) -> None:
    names = {"labels", "logits", "logits_class", "logits_distillation", "embedding_class", "embedding_distillation"}
    assert set(load_file(file)) == names | {f"val_{name}" for name in names}


def test_equal_predictions_have_equal_files_and_others_another_hash(file: Path, tmp_path: Path) -> None:
    for name, val in (("same", made(2, seed=1)), ("other", made(2, seed=2))):
        write_predictions(tmp_path / name, made(4), val, FACTS)
    assert read_predictions(tmp_path / "same").hash == read_predictions(file).hash
    assert read_predictions(tmp_path / "other").hash != read_predictions(file).hash


def test_an_embedding_that_half_precision_cannot_hold_stays_finite() -> None:
    assert half(np.array([[1e6, -1e6, 0.5]], np.float32)).tolist() == [[65504.0, -65504.0, 0.5]]


def test_fifty_thousand_classes_have_room_for_their_names(tmp_path: Path) -> None:
    classes = tuple(f"{number:0>200}" for number in range(50_000))
    logits = np.zeros((1, len(classes)), np.float32)
    one = Predictions(np.zeros(1, np.int64), logits)
    write_predictions(tmp_path / "file", one, one, PredictionFacts(classes, "", 1, logits_alone=True))
    assert read_predictions(tmp_path / "file").facts.classes == classes


def rewritten(file: Path, **changes: Any) -> None:
    """The file with other arrays, and the same facts and hash."""
    header = file.read_bytes()
    length = struct.unpack("<Q", header[:8])[0]
    metadata = json.loads(header[8 : 8 + length])["__metadata__"]
    arrays = load_file(file) | changes
    save_file({name: array for name, array in arrays.items() if array is not None}, file, metadata=metadata)


def header_of(content: dict[str, Any]) -> bytes:
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "words": lambda file: file.write_text("these are no predictions"),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "longer": lambda file: file.write_bytes(file.read_bytes() + b"more"),
    "a flipped bit of a logit": lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\x01"),
    "of another program": lambda file: save_file({"labels": np.zeros(3, np.int64)}, file),
    "no logits": lambda file: rewritten(file, logits=None),
    "no validation": lambda file: rewritten(file, **{f"val_{name}": None for name in made(1).arrays}),
    "another name": lambda file: rewritten(file, weights=np.zeros(3, np.float32)),
    "another type": lambda file: rewritten(file, logits=np.zeros((4, 3))),
    "another number of images": lambda file: rewritten(file, logits=np.zeros((5, 3), np.float32)),
    "another number of classes": lambda file: rewritten(file, logits=np.zeros((4, 2), np.float32)),
    "no image": lambda file: rewritten(file, labels=np.zeros(0, np.int64)),
    "labels in a table": lambda file: rewritten(file, labels=np.zeros((4, 1), np.int64)),
    "a header of a terabyte": lambda file: file.write_bytes(struct.pack("<Q", 2**40) + b"{}"),
    "an array of a terabyte": lambda file: file.write_bytes(
        header_of({"labels": {"dtype": "I64", "shape": [2**37], "data_offsets": [0, 2**40]}})
    ),
    "an array that grows": lambda file: file.write_bytes(
        header_of({"labels": {"dtype": "I64", "shape": [2**60, 0], "data_offsets": [0, 0]}})
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_one_sentence_that_says_how_to_mend_it(damage: Callable[[Path], object], file: Path) -> None:
    damage(file)
    with pytest.raises(RunError, match="is damaged or holds no predictions") as caught:
        read_predictions(file)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("`python -m deit_core predict b3a0b56d` writes them again.")


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Predictions(np.array([3]), np.zeros((1, 3), np.float32)), "a label is none of its classes"),
        (Predictions(np.array([-1]), np.zeros((1, 3), np.float32)), "a label is none of its classes"),
        (Predictions(np.array([0]), np.full((1, 3), np.nan, np.float32)), "a number in it is not finite"),
    ],
)
def test_numbers_without_a_meaning_are_refused_even_with_the_right_hash(
    part: Predictions, reason: str, tmp_path: Path
) -> None:
    write_predictions(tmp_path / "file", part, made(2), FACTS)
    with pytest.raises(RunError, match=reason):
        read_predictions(tmp_path / "file")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"There are no predictions .* predict b3a0b56d` makes them\."):
        read_predictions(tmp_path / "b3a0b56d" / "predictions.safetensors")


def test_a_folder_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_predictions(tmp_path / "gone" / "file", made(2), made(2), FACTS, makes_folder=False)
    assert not (tmp_path / "gone").exists()
