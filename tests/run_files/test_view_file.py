"""A file of training views: what was written is read, and what is damaged is one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from deit_core.errors import RunError
from deit_core.run_files.view_file import TrainingViews, ViewFacts, read_views, write_views

FACTS = ViewFacts(("cat", "犬", 'a "b"\\'), 1)


def made(**changes: Any) -> TrainingViews:
    """Four views, the third of two images, with pictures of two."""
    arrays: dict[str, Any] = {
        "labels": np.array([0, 1, 2, 0]),
        "other_labels": np.array([-1, -1, 1, -1]),
        "images": np.array([5, 0, 3, 3]),
        "logits": np.arange(12, dtype=np.float32).reshape(4, 3),
        "pictured": np.array([0, 3]),
        "pictures": np.arange(2 * 27, dtype=np.uint8).reshape(2, 3, 3, 3),
    }
    return TrainingViews(**arrays | changes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "b3a0b56d" / "views.safetensors"
    write_views(path, made(), FACTS)
    return path


def test_what_was_written_is_read(file: Path) -> None:
    kept = read_views(file)
    assert kept.facts == FACTS
    for name, array in vars(made()).items():
        assert vars(kept.views)[name].dtype == array.dtype
        assert np.array_equal(vars(kept.views)[name], array)
    assert kept.views.decisions.tolist() == [2, 2, 2, 2]


def test_no_view_and_no_picture_are_read_too(tmp_path: Path) -> None:
    none = np.zeros(0, np.int64)
    empty = TrainingViews(none, none, none, np.zeros((0, 3), np.float32), none, np.zeros((0, 3, 3, 3), np.uint8))
    write_views(tmp_path / "file", empty, FACTS)
    assert len(read_views(tmp_path / "file").views) == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": np.array([0, 1, 3, 0])}, "a number of labels has no meaning"),
        ({"labels": np.array([0, 1, -1, 0])}, "a number of labels has no meaning"),
        ({"other_labels": np.array([-2, 0, 0, 0])}, "a number of other_labels has no meaning"),
        ({"pictured": np.array([0, 4])}, "a number of pictured has no meaning"),
        ({"logits": np.full((4, 3), np.nan, np.float32)}, "a number in it is not finite"),
        ({"logits": np.zeros((4, 2), np.float32)}, r"logits has the shape \(4, 2\), for 4 views with 2 pictures"),
        ({"images": np.zeros(3, np.int64)}, r"images has the shape \(3,\)"),
        ({"pictures": np.zeros((1, 3, 3, 3), np.uint8)}, r"pictures has the shape \(1, 3, 3, 3\)"),
        ({"pictures": np.zeros((2, 27), np.uint8)}, r"pictures has the shape \(2, 27\)"),
        ({"labels": np.zeros((4, 1), np.int64)}, "it has no list of views"),
        ({"pictures": np.zeros((2, 3, 3, 3), np.float32)}, "has arrays of another type: pictures"),
    ],
)
def test_what_has_no_meaning_is_refused(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    write_views(tmp_path / "file", made(**changes), FACTS)
    with pytest.raises(RunError, match=reason):
        read_views(tmp_path / "file")


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-7]),
        lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\x00"),
    ],
    ids=["empty", "cut", "a flipped bit of a picture"],
)
def test_a_damaged_file_is_one_sentence_that_says_how_to_mend_it(damage: Callable[[Path], object], file: Path) -> None:
    damage(file)
    with pytest.raises(RunError, match="is damaged or holds no training views of DeiT Lab") as caught:
        read_views(file)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("`python -m deit_core predict b3a0b56d` writes them again.")


def test_the_names_in_the_file_are_those_of_the_docs(file: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
    names = set(load_file(file))
    assert names == {"labels", "other_labels", "images", "logits", "pictured", "pictures"}
    rows = page.partition("## Training views")[2].partition("\n## ")[0]
    assert all(f"| `{name}` |" in rows for name in names)
