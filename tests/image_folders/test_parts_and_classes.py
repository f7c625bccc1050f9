"""Which folders of a data set are its parts, which are its classes, and which are only around them."""

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from image_files import spec_of
from named_files import MAKERS, Make, classes, fill, left_out, many

from deit_core.data import open_source


@MAKERS
@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("seg_train/seg_train", "seg_test/seg_test"), ("train", "test")),
        (("training_set/training_set", "test_set/test_set"), ("train", "test")),
        (("archive/Training Set", "archive/TEST-SET"), ("train", "test")),
        (("train_images", "validation_images", "test_images"), ("train", "val", "test")),
        (("trainset/train", "testset"), ("train", "test")),
        (("TRAIN", "Valid"), ("train", "val")),
        (("train_data/train_data/Train", "val_data"), ("train", "val")),
        (("training",), ("train",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_parts_are_known_by_the_usual_names(
    make: Make, names: tuple[str, ...], parts: tuple[str, ...], tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    counts = (10, 4, 3)[: len(names)]
    files = [file for name, count in zip(names, counts, strict=True) for file in classes(name, count)]
    document = listed(make(tmp_path, files))
    assert document == {
        "parts": {part: {"sea": count, "street": count} for part, count in zip(parts, counts, strict=True)},
        "left_out": [],
        "warnings": [],
    }


@MAKERS
def test_a_part_without_classes_is_left_out_and_counted(
    make: Make, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    files = classes("seg_train/seg_train", 10) + classes("seg_test/seg_test", 4) + many("seg_pred/seg_pred", 24, ".jpg")
    document = listed(make(tmp_path, files))
    assert document["parts"] == {"train": {"sea": 10, "street": 10}, "test": {"sea": 4, "street": 4}}
    assert document["left_out"] == [
        {"why": "in seg_pred, next to train, val and test", "count": 24, "example": "seg_pred/seg_pred/0.jpg"}
    ]


@MAKERS
@pytest.mark.parametrize(
    ("files", "words"),
    [
        (classes("validation", 5) + classes("test", 5), "There is no folder train next to test and validation in"),
        (
            classes("train", 5) + many("test_set", 5),
            "test_set; it should contain one folder per class, as training does",
        ),
        (many("train_set", 5) + many("test_set", 5), "train_set; it should contain one folder per class"),
    ],
)
def test_parts_that_cannot_be_used_are_refused_with_what_to_move(
    make: Make, files: list[str], words: str, tmp_path: Path, refused: Callable[[Path], str]
) -> None:
    assert words in refused(make(tmp_path, files))


@MAKERS
@pytest.mark.parametrize("name", ["train", "Train Set", "test", "seg_val"])
def test_a_class_beside_others_may_be_named_as_a_part(
    make: Make, name: str, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    names = ("bus", "car", name)
    document = listed(make(tmp_path, classes("", 5, names)))
    assert document["parts"] == {"train": dict.fromkeys(sorted(names), 5)}


@MAKERS
def test_folders_that_look_like_parts_of_other_names_are_warned_of(
    make: Make, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    document = listed(make(tmp_path, classes("learn", 5) + classes("judge", 5)))
    (warning,) = document["warnings"]
    assert warning.startswith(
        "Each of the classes judge and learn contains the folders sea and street; if those are the"
    )
    assert listed(fill(tmp_path / "other", classes("", 5, ("a/sea", "b/street"))))["warnings"] == []


def test_one_part_in_two_folders_is_read_once_and_said(tmp_path: Path, listed: Callable[[Path], Any]) -> None:
    document = listed(fill(tmp_path / "f", classes("train", 5) + classes("training", 4) + classes("train_set", 3)))
    assert document["parts"] == {"train": {"sea": 5, "street": 5}}
    assert left_out(document) == {
        "in training, next to train, val and test": 8,
        "in train_set, next to train, val and test": 6,
    }


@MAKERS
@pytest.mark.parametrize(
    "beside",
    [
        ["readme.txt"],
        ["readme[1].txt", "MSR-LA - 3467.docx"],
        ["labels/cat.xml", "Thumbs.db"],
        ["__MACOSX/PetImages/._1.png", "x.csv"],
    ],
)
@pytest.mark.parametrize("around", ["PetImages", "a/b/PetImages"])
def test_a_folder_around_the_classes_is_passed_through(
    make: Make, beside: list[str], around: str, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    document = listed(make(tmp_path, classes(around, 5) + beside))
    assert document["parts"] == {"train": {"sea": 5, "street": 5}}
    assert sum(left_out(document).values()) == len(beside)


@MAKERS
def test_a_folder_beside_images_is_not_passed_through(
    make: Make, tmp_path: Path, refused: Callable[[Path], str]
) -> None:
    said = refused(make(tmp_path, [*classes("cat", 5), "dog.png"]))
    assert "only one class" in said
    assert "1 in no folder of a class (dog.png)" in said


NFC, NFD = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))


@MAKERS
@pytest.mark.parametrize(("train", "val"), [(NFC, NFD), (NFD, NFC), (NFD, NFD)])
def test_names_composed_and_not_are_one_class(
    make: Make, train: str, val: str, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    document = listed(make(tmp_path, classes("train", 5, ("bar", train)) + classes("val", 4, ("bar", val))))
    name = NFC if train != val else train
    assert document["parts"] == {"train": {"bar": 5, name: 5}, "val": {"bar": 4, name: 4}}


@MAKERS
def test_two_spellings_in_one_place_are_one_class(make: Make, tmp_path: Path, listed: Callable[[Path], Any]) -> None:
    document = listed(make(tmp_path, classes("", 5, ("bar", NFC, NFD))))
    assert document["parts"] == {"train": {"bar": 5, NFC: 10}}


TREE = [
    f"{name}/{file}"
    for name in ("bee", "cow x", "caf\u00e9", "cafe\u0301s")
    for number in range(6)
    for file in (f"{number}.png", f"b-{number}.JPG", f"b/{number}.webp")
]


def under(part: str, names: Iterable[str] = TREE) -> list[str]:
    return [f"{part}/{name}" for name in names]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([*TREE, "readme.txt", "bee/notes.txt", "bee/.hidden.png", ".git/x.png", "__MACOSX/bee/1.png"], "3fa4f68e2e51"),
        ([*under("wrap"), ".DS_Store"], "d6edf0b02b85"),
        (under("train"), "2017b095804d"),
        ([*under("train"), "readme.txt"], "aa6b3ec84e6d"),
        ([*under("train"), "Thumbs.db"], "aa6b3ec84e6d"),
        (under("a/train/train"), "47b459f287d4"),
        ([*under("train"), *under("training"), *under("train_set"), *under("test")], "483a201b97d9"),
        ([*under("Training"), *under("val"), *under("testing"), "extra/1.png"], "83bcddbb2fb1"),
        ([*under("train"), *under("val")], "da81104c7dde"),
        (many("bus", 6) + many("car", 6) + many("train", 6), "44cf1fa640ff"),
    ],
)
def test_what_was_read_right_before_has_the_hash_that_it_had(names: list[str], expected: str, tmp_path: Path) -> None:
    """Hashes as of the commit before folders were listed again; runs on such folders resume."""
    source = open_source(spec_of(fill(tmp_path / "f", names)), tmp_path)
    assert source.content_hash[:12] == expected
