"""What stands in two parts of a folder, or holds grey of 16 bits, is said before training and in the log of the run."""

import hashlib
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_files import age, spec_of, write_images
from PIL import Image

from deit_core.data import load_data, load_source, open_source
from deit_core.data.sources import contents
from deit_core.data.sources.contents import content_warnings
from deit_core.data.sources.findings import FINDINGS
from deit_core.data.sources.progress import no_progress
from deit_core.events import Reading, RunStarted
from deit_core.image_folders import list_folder
from deit_core.image_folders.archives import ZippedFiles
from deit_core.spec import RunSpec, replace
from deit_core.training import train


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """12 training, 6 validation and 6 test images, no two alike; an hour old."""
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        write_images(tmp_path / "f" / part, count)
    age(tmp_path / "f")
    return tmp_path / "f"


def copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True) if source.is_dir() else shutil.copy(source, target)


def test_parts_that_share_nothing_are_not_warned_of(parted: Path) -> None:
    assert content_warnings(list_folder(parted)) == ()


def test_a_val_that_is_a_copy_of_train_is_warned_of_with_the_count(tmp_path: Path) -> None:
    write_images(tmp_path / "f" / "train", 4)
    copy(tmp_path / "f" / "train", tmp_path / "f" / "val")
    (said,) = content_warnings(list_folder(tmp_path / "f"))  # without test, val is the test
    assert re.match(
        r"The same content in training and test: 12 of 12 test images, for example val/(.*) is train/\1\. Remove", said
    )


@pytest.mark.parametrize(
    ("copied", "said"),
    [
        ({"train/bee/000.jpg": "val/bee/x.jpg"}, ["training and validation: 1 of 7 validation images"]),
        ({"train/bee/000.jpg": "val/cow/000.jpg"}, ["training and validation: 1 of 6 validation images"]),
        ({"train/bee": "test/bee"}, ["training and test: 4 of 8 test images"]),
        ({"val/bee": "test/bee"}, ["validation and test: 2 of 6 test images"]),
        ({"train/bee/001.png": "train/bee/twice.png"}, []),
        (
            {"train/bee": "val/bee", "train/cow": "test/cow"},
            ["training and validation: 4 of 8 validation images", "training and test: 4 of 8 test images"],
        ),
        (
            {"train/bee/000.jpg": "val/bee/x.jpg", "val/bee/x.jpg": "test/bee/y.jpg"},
            [
                "training and validation: 1 of 7 validation",
                "training and test: 1 of 7 test",
                "validation and test: 1 of 7",
            ],
        ),
    ],
)
def test_every_two_parts_are_compared(parted: Path, copied: dict[str, str], said: list[str]) -> None:
    for source, target in copied.items():
        copy(parted / source, parted / target)
    found = content_warnings(list_folder(parted))
    assert len(found) == len(said)
    for sentence, words in zip(found, said, strict=True):
        assert sentence.startswith(f"The same content in {words}")


def test_files_of_one_size_that_differ_anywhere_are_not_the_same(parted: Path) -> None:
    """The middle and the size agree; only the first or the last byte tells."""
    content = (parted / "train" / "bee" / "001.png").read_bytes() + bytes(100_000)
    for part, end in (("train", b"a"), ("val", b"b"), ("test", b"c")):
        (parted / part / "bee" / "large.png").write_bytes(content + end)
    assert content_warnings(list_folder(parted)) == ()


def test_a_folder_without_parts_is_not_warned_of_but_its_run_is(tmp_path: Path) -> None:
    write_images(tmp_path / "f", 10)
    for file in sorted((tmp_path / "f").rglob("*.*")):
        shutil.copy(file, file.with_stem(f"{file.stem} copy"))
    assert content_warnings(list_folder(tmp_path / "f")) == ()
    notes = load_data(spec_of(tmp_path / "f", val_fraction=0.25), tmp_path).notes
    assert [re.sub(r"\d+ of (\d+).*", r"\1", note) for note in notes] == [
        "The same content in training and validation: 12",
        "The same content in training and test: 12",
        "The same content in validation and test: 12",
    ]
    other = load_data(spec_of(tmp_path / "f", val_fraction=0.25, split_seed=1), tmp_path).notes
    assert notes != other, "what is said is of the split"


def test_what_is_said_counts_the_images_that_a_run_uses(parted: Path) -> None:
    copy(parted / "train" / "bee", parted / "val" / "bee")
    whole, half = (load_data(spec_of(parted, fraction=share), parted.parent).notes for share in (1, 0.5))
    assert whole[0].startswith("The same content in training and validation: 4 of 8 validation images")
    assert half[0].startswith("The same content in training and validation: 2 of 8 validation images")


def test_a_run_tells_its_story_with_it(parted: Path, tiny: RunSpec, tmp_path: Path) -> None:
    copy(parted / "train" / "cow", parted / "val" / "cow")
    spec = replace(tiny, {"data": spec_of(parted, img_size=8).model_dump(), "model.patch_size": 4})
    events = train(spec, run_dir=tmp_path / "run", data_dir=tmp_path)
    started = next(event for event in events if isinstance(event, RunStarted))
    events.close()
    assert len(started.notes) == 1
    assert started.notes[0].startswith("The same content in training and validation: 4 of 8 validation images")


def test_sources_that_are_known_are_left_as_they_are(tmp_path: Path) -> None:
    source = load_source("digits", tmp_path)
    assert source.warn(np.arange(10), np.arange(10), no_progress) == ()


def test_grey_of_sixteen_bits_is_said_with_its_range(parted: Path) -> None:
    for name in ("001", "003"):
        Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(parted / "train" / "bee" / f"{name}.png")
    (said,) = content_warnings(list_folder(parted))
    assert said == "Images with grey of more than 8 bits: 2, scaled to 256 levels by their range (12 bits in 2)."
    Image.fromarray(np.full((9, 9), 65535, np.uint16)).save(parted / "test" / "cow" / "001.png")
    (said,) = content_warnings(list_folder(parted))
    assert "3, scaled to 256 levels by their range (12 bits in 2, 16 bits in 1). Each is scaled by its own" in said
    assert load_data(spec_of(parted), parted.parent).notes == (said,)


def test_runs_know_that_images_of_fewer_bits_than_sixteen_are_read_otherwise_than_once(parted: Path) -> None:
    def opened(highest: int) -> str:
        file = parted / "train" / "bee" / "001.png"
        Image.fromarray(np.full((9, 9), highest, np.uint16)).save(file)
        return open_source(spec_of(parted), parted.parent).content_hash

    plain = {highest: opened(highest) for highest in (65535, 4095)}
    contents_of = contents.find_contents
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "deit_core.data.sources.folder.find_contents", lambda *asked: contents_of(*asked)._replace(deep={})
        )
        assert opened(65535) == plain[65535]
        assert opened(4095) != plain[4095]


def test_files_are_looked_into_once(parted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(parted / "train" / "bee", parted / "val" / "bee")
    age(parted)
    looked: list[str] = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda opened, name: looked.append(opened.name) or digest(opened, name))
    first = load_data(spec_of(parted), parted.parent).notes
    assert len(looked) == 8, "of 26, those that differ in size or in the middle are not read whole"
    assert load_data(spec_of(parted, split_seed=1), parted.parent).notes == first
    assert content_warnings(list_folder(parted), data_dir=parted.parent) == first
    assert len(looked) == 8
    shutil.rmtree(parted.parent / FINDINGS)
    assert load_data(spec_of(parted), parted.parent).notes == first
    assert len(looked) == 16


def test_a_file_that_cannot_be_read_is_left_to_whoever_reads_its_pixels(parted: Path) -> None:
    (parted / "train" / "bee" / "gone.png").symlink_to(parted / "nowhere.png")
    (parted / "val" / "bee" / "gone.png").symlink_to(parted / "nowhere.png")
    assert content_warnings(list_folder(parted)) == ()


def test_it_says_how_far_it_is(parted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deit_core.data.sources.progress.EVERY_S", 0.0)
    heard: list[Reading] = []
    content_warnings(list_folder(parted), heard.append)
    assert {reading.what for reading in heard} == {"Looking for grey of 16 bits", "Looking for the same content twice"}


def test_a_zip_is_looked_into_where_it_is(parted: Path, tmp_path: Path) -> None:
    copy(parted / "train" / "bee", parted / "val" / "bee")
    Image.fromarray(np.full((9, 9), 4095, np.uint16)).save(parted / "test" / "cow" / "001.png")
    listed = list_folder(parted)
    expected = content_warnings(listed)
    assert len(expected) == 2
    archive = Path(shutil.make_archive(str(tmp_path / "f"), "zip", parted))
    shutil.rmtree(parted)
    with zipfile.ZipFile(archive) as content:
        assert content_warnings(listed, access=ZippedFiles(content, listed.root)) == expected
