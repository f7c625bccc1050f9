"""Folders of images: their layouts, what is refused, and that a run of one trains, stops and goes on."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import CLASSES, encode, spec_of, write_images
from PIL import Image

from deit_core.data import load_data, load_source, open_source
from deit_core.data.preview import class_counts, class_images
from deit_core.data.sources.native_size import native_size
from deit_core.errors import CheckpointError, DataError, RunError, SpecError
from deit_core.events import RunFinished
from deit_core.image_folders.facts import facts_of
from deit_core.models import build_model, load_checkpoint, read_card
from deit_core.spec import RunSpec, replace
from deit_core.training import train


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """One folder per class, 20 images each."""
    write_images(tmp_path / "animals", 20)
    return tmp_path / "animals"


def test_a_folder_a_class_is_cut_by_seed_with_the_same_share_of_each(animals: Path) -> None:
    data = load_data(spec_of(animals, val_fraction=0.25), animals.parent)
    assert data.classes == CLASSES
    assert data.train.images.shape == (36, 3, 16, 16)
    for split, count in ((data.train, 12), (data.val, 4), (data.test, 4)):
        assert torch.bincount(split.labels).tolist() == [count] * 3
    same = load_data(spec_of(animals, val_fraction=0.25), animals.parent)
    other = load_data(spec_of(animals, val_fraction=0.25, split_seed=1), animals.parent)
    assert torch.equal(data.val.images, same.val.images)
    assert not torch.equal(data.val.images, other.val.images)
    assert torch.equal(data.test.images, other.test.images)  # the test stays what it is
    assert data.content_hash == same.content_hash == other.content_hash
    tiny = load_data(spec_of(animals, fraction=0.5), animals.parent)
    assert len(tiny.train) + len(tiny.val) == 24


def test_the_native_size_is_the_median_of_the_shorter_sides(animals: Path) -> None:
    assert load_data(spec_of(animals), animals.parent).native_size == 24
    write_images(animals / "bee", 120, size=(90, 300), classes=("tall",))
    (animals / "cow" / "000.jpg").write_bytes(b"no image")
    assert native_size(open_source(spec_of(animals), animals.parent)) == 90
    assert native_size(load_source("digits", animals.parent)) == 8


def test_colours_may_be_normalised_as_imagenet_s(animals: Path) -> None:
    data = load_data(spec_of(animals, normalization="imagenet"), animals.parent)
    assert (data.mean, data.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_middle_square_is_resized_and_each_class_has_its_colour(tmp_path: Path) -> None:
    write_images(tmp_path / "data", 10)
    stripes = np.zeros((20, 60, 3), np.uint8)
    stripes[:, 20:40] = 255  # the middle square is white
    for number in range(10):
        Image.fromarray(stripes).save(tmp_path / "data" / "cow" / f"{number:03}.{'png' if number % 2 else 'jpg'}")
    images = load_data(spec_of(tmp_path / "data"), tmp_path).test
    assert images.images[images.labels == 1].float().mean() > 245
    red, green, _ = images.images[images.labels == 2].float().mean((0, 2, 3))
    assert red == pytest.approx(200, abs=3)
    assert green == pytest.approx(30, abs=3)
    grey = load_data(spec_of(tmp_path / "data", colour=False), tmp_path)
    assert grey.in_chans == len(grey.mean) == 1
    assert grey.content_hash != load_data(spec_of(tmp_path / "data"), tmp_path).content_hash


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"train": 10, "val": 4, "test": 3}, (30, 12, 9)),
        ({"train": 10, "val": 4}, (27, 3, 12)),  # val is the test, a tenth of train validates
        ({"Training": 10, "testing": 3}, (27, 3, 9)),
        ({"train": 10}, (24 - 3, 3, 6)),
    ],
)
def test_parts_of_its_own_are_kept(tmp_path: Path, parts: dict[str, int], expected: tuple[int, int, int]) -> None:
    for part, count in parts.items():
        write_images(tmp_path / "wrapped" / part, count)
    data = load_data(spec_of("wrapped"), tmp_path)
    assert (len(data.train), len(data.val), len(data.test)) == expected
    assert data.drawn_from == ("" if {"val", "test"} <= parts.keys() else data.content_hash)
    facts = facts_of(spec_of("wrapped"), tmp_path)
    assert (facts.classes, facts.in_chans, facts.num_test) == (CLASSES, 3, expected[2])
    source = open_source(spec_of("wrapped"), tmp_path)
    counts = class_counts(source, spec_of("wrapped"))
    assert tuple(int(numbers.sum()) for numbers in counts.values()) == expected
    assert class_images(source, spec_of("wrapped"), 1, 0, 2).shape == (2, 3, 16, 16)


def test_its_own_validation_is_never_learned(tmp_path: Path) -> None:
    write_images(tmp_path / "f" / "train", 10)
    write_images(tmp_path / "f" / "validation", 4)
    write_images(tmp_path / "f" / "test", 3)
    data = load_data(spec_of("f", fraction=0.5), tmp_path)
    assert (len(data.train), len(data.val), len(data.test)) == (15, 12, 9)


def test_no_class_vanishes_where_validation_is_its_own(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        write_images(tmp_path / "f" / part, 20, (8, 8), CLASSES[:2])
        write_images(tmp_path / "f" / part, 2, (8, 8), CLASSES[2:])
    with pytest.raises(SpecError, match=r"data\.fraction 0\.2 leaves too few images of a class"):
        load_data(spec_of("f", fraction=0.2), tmp_path)


def test_a_test_may_lack_a_class(tmp_path: Path) -> None:
    write_images(tmp_path / "animals" / "train", 20)
    write_images(tmp_path / "animals" / "test", 3, classes=("bee", "red kite"))
    data = load_data(spec_of(tmp_path / "animals"), tmp_path)
    assert data.test.labels.tolist() == [0, 0, 0, 2, 2, 2]


def test_a_test_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "animals" / "train", 20)
    write_images(tmp_path / "animals" / "test", 1)
    for file in (tmp_path / "animals" / "test").rglob("*.jpg"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="No image of val or test"):
        load_data(spec_of(tmp_path / "animals", corrupt_images="skip"), tmp_path)


def test_an_archives_folder_around_it_is_passed_through(tmp_path: Path) -> None:
    write_images(tmp_path / "zip" / "animals-main", 6)
    (tmp_path / "zip" / "__MACOSX").mkdir()
    assert facts_of(spec_of("zip"), tmp_path).classes == CLASSES


def test_trains_may_be_a_class(tmp_path: Path) -> None:
    """A folder of that name is the part for training where a part holds folders, or no others stand beside it."""
    write_images(tmp_path / "f", 5, classes=("bus", "car", "train"))
    assert facts_of(spec_of("f"), tmp_path).classes == ("bus", "car", "train")
    write_images(tmp_path / "flat", 5, classes=("train", "test"))
    assert "train; it should contain one folder per class" in refused(tmp_path / "flat", tmp_path)
    write_images(tmp_path / "bare" / "test", 5)
    (tmp_path / "bare" / "train").mkdir()
    (tmp_path / "bare" / "notes").mkdir()
    assert "train; it should contain one folder per class" in refused(tmp_path / "bare", tmp_path)


def test_hidden_folders_are_passed_over(animals: Path) -> None:
    before = open_source(spec_of(animals), animals.parent).content_hash
    write_images(animals / "cow", 2, classes=(".ipynb_checkpoints",))
    assert open_source(spec_of(animals), animals.parent).content_hash == before


@pytest.mark.parametrize("name", [b"cow/caf\xe9.png", b"caf\xe9/000.png"])
def test_a_name_that_is_not_utf_8_is_refused(animals: Path, name: bytes) -> None:
    """Old zips leave such names behind, and no message or hash could hold one."""
    odd = animals / os.fsdecode(name)
    try:
        odd.parent.mkdir(exist_ok=True)
        (animals / "cow" / "001.png").rename(odd)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    assert "caf\ufffd" in refused(animals, animals.parent)


def refused(root: Path, tmp_path: Path) -> str:
    messages = []
    for read in (facts_of, load_data):
        with pytest.raises(DataError) as caught:
            read(spec_of(root), tmp_path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "\n" not in messages[0]
    return messages[0]


def test_what_is_no_data_set_is_one_sentence(tmp_path: Path) -> None:
    assert "There is no folder" in refused(tmp_path / "nowhere", tmp_path)
    assert "nosuchuser" in refused(Path("~nosuchuser/animals"), tmp_path)
    (tmp_path / "empty").mkdir()
    assert "There is no image in" in refused(tmp_path / "empty", tmp_path)
    write_images(tmp_path / "one" / "train", 5, classes=("bee",))
    assert "only one class" in refused(tmp_path / "one", tmp_path)
    write_images(tmp_path / "hole", 5)
    (tmp_path / "hole" / "dog").mkdir()
    assert "dog contains no PNG" in refused(tmp_path / "hole", tmp_path)
    write_images(tmp_path / "odd" / "train", 5)
    write_images(tmp_path / "odd" / "test", 2, classes=("bee", "wolf"))
    assert "has a class 'wolf' that is not in training" in refused(tmp_path / "odd", tmp_path)
    write_images(tmp_path / "flat" / "train", 5)
    (tmp_path / "flat" / "test").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "flat" / "test" / "000.png")
    assert "There is no image in the classes of" in refused(tmp_path / "flat", tmp_path)
    write_images(tmp_path / "bare" / "train", 5)
    for name in CLASSES:
        (tmp_path / "bare" / "val" / name).mkdir(parents=True)
    assert "There is no image in the classes of" in refused(tmp_path / "bare", tmp_path)
    with pytest.raises(SpecError, match=r"needs data\.path"):
        replace(RunSpec(), {"data.source": "folder"})


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "another format", "too many pixels"])
def test_a_corrupt_image_is_named_and_refused_or_skipped(animals: Path, damage: str) -> None:
    file = animals / "cow" / "004.jpg"
    whole = file.read_bytes()
    damages = {
        "cut": lambda: whole[: len(whole) // 2],
        "text": lambda: b"a list of cows",
        "empty": lambda: b"",
        "another format": lambda: encode(Image.new("1", (8, 8)), "PPM"),
        "too many pixels": lambda: encode(Image.new("1", (10_000, 6_000)), "PNG"),
    }
    file.write_bytes(damages[damage]())
    reason = ": This image has 60 million pixels" if damage == "too many pixels" else " is damaged, or not an image"
    with pytest.raises(DataError, match=rf"004\.jpg{reason}.*data\.corrupt_images"):
        load_data(spec_of(animals), animals.parent)
    source = open_source(spec_of(animals, corrupt_images="skip"), animals.parent)
    assert source.skipped == (str(Path("cow") / "004.jpg"),)
    data = load_data(spec_of(animals, corrupt_images="skip"), animals.parent)
    assert len(data.train) + len(data.val) + len(data.test) == 59


def test_another_content_has_another_hash(animals: Path) -> None:
    before = open_source(spec_of(animals), animals.parent).content_hash
    write_images(animals, 20, size=(24, 24))
    assert open_source(spec_of(animals), animals.parent).content_hash != before


def test_a_run_learns_from_a_folder_and_its_model_stands_alone(tmp_path: Path, tiny: RunSpec) -> None:
    write_images(tmp_path / "animals", 20)
    spec = replace(tiny, {"data.source": "folder", "data.path": "animals", "optim.epochs": 4, "optim.batch_size": 8})
    *_, last = train(spec, run_dir=tmp_path / "run", data_dir=tmp_path)
    assert isinstance(last, RunFinished)
    assert last.metrics["test_accuracy"] > 0.6
    (tmp_path / "animals").rename(tmp_path / "gone")
    assert read_card(tmp_path / "run").classes == CLASSES
    assert load_checkpoint(tmp_path / "run")(torch.zeros(1, 3, 16, 16)).shape == (1, 3)
    with pytest.raises(SpecError, match="give in_chans and num_classes"):
        build_model(spec)


def test_a_stopped_run_on_a_folder_goes_on_bit_for_bit(animals: Path, tmp_path: Path, tiny: RunSpec) -> None:
    changes = {"data.source": "folder", "data.path": str(animals), "optim.epochs": 3, "optim.batch_size": 8}
    spec = replace(tiny, changes)
    list(train(spec, run_dir=tmp_path / "whole", data_dir=tmp_path, group_s=0))
    events = train(spec, run_dir=tmp_path / "parts", data_dir=tmp_path, group_s=0)
    for _ in range(9):  # into the second epoch
        next(events)
    events.close()
    list(train(spec, run_dir=tmp_path / "parts", data_dir=tmp_path, group_s=0, resume=True))
    whole, parts = (load_checkpoint(tmp_path / name / "last.safetensors").state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    (animals / "cow" / "000.jpg").write_bytes((animals / "bee" / "000.jpg").read_bytes())
    with pytest.raises(RunError, match="is not the data that this run started with"):
        list(train(spec, run_dir=tmp_path / "parts", data_dir=tmp_path, resume=True))
    from_it = replace(spec, {"initial_checkpoint": str(tmp_path / "whole")})
    with pytest.raises(CheckpointError, match=r"learned from the folder before it changed.*; train it again"):
        list(train(from_it, run_dir=tmp_path / "new", data_dir=tmp_path))
