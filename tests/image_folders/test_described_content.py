"""What `data` says of what the files of a folder or a zip hold: copies, grey of 16 bits, names in another encoding."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import write_images
from PIL import Image
from zips import encoded, packed, unicode_path

Listed = Callable[[Path], Any]


@pytest.fixture(params=["folder", "zip"])
def looked(request: pytest.FixtureRequest, listed: Listed, tmp_path: Path) -> Listed:
    """What the command says of a folder, or of the zip of it."""

    def look(root: Path) -> Any:
        if request.param == "folder":
            return listed(root)
        return listed(Path(shutil.make_archive(str(tmp_path / "packed"), "zip", root)))

    return look


def test_a_val_that_is_a_copy_of_train_is_warned_of(tmp_path: Path, looked: Listed) -> None:
    write_images(tmp_path / "f" / "train", 4, classes=("cat", "dog"))
    shutil.copytree(tmp_path / "f" / "train", tmp_path / "f" / "val")
    document = looked(tmp_path / "f")
    assert document["parts"] == {part: {"cat": 4, "dog": 4} for part in ("train", "val")}
    (said,) = document["warnings"]
    assert said.startswith("The same content in training and test: 8 of 8 test images, for example val/")


def test_copies_within_one_part_are_not_warned_of(tmp_path: Path, looked: Listed) -> None:
    write_images(tmp_path / "f", 4, classes=("cat", "dog"))
    shutil.copytree(tmp_path / "f" / "cat", tmp_path / "f" / "cat" / "again")
    document = looked(tmp_path / "f")
    assert document == {"parts": {"train": {"cat": 8, "dog": 4}}, "left_out": [], "warnings": []}


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_grey_of_sixteen_bits_is_said(tmp_path: Path, looked: Listed, ending: str) -> None:
    write_images(tmp_path / "f", 4, classes=("cat", "dog"))
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    Image.fromarray(pixels).save(tmp_path / "f" / "cat" / f"deep.{ending}")
    assert looked(tmp_path / "f")["warnings"] == [
        "Images with grey of more than 8 bits: 1, scaled to 256 levels by their range (12 bits in 1)."
    ]


def test_a_damaged_zip_is_a_sentence(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    for part in ("train", "val"):
        write_images(tmp_path / "f" / part, 4, classes=("cat", "dog"))
    archive = Path(shutil.make_archive(str(tmp_path / "f"), "zip", tmp_path / "f"))
    content = archive.read_bytes()
    for file in (tmp_path / "f").rglob("*.png"):
        content = content.replace(file.read_bytes()[-20:-12], bytes(8))
    archive.write_bytes(content)
    assert "is not a zip, or is damaged" in refused(archive)


@pytest.mark.parametrize(("words", "encoding"), [("狗 猫", "gbk"), ("café cow", "utf-8"), ("犬 表", "cp932")])
def test_names_of_a_zip_are_read_in_their_encoding(tmp_path: Path, listed: Listed, words: str, encoding: str) -> None:
    (tmp_path / "a.zip").write_bytes(packed(*encoded(words, encoding)).getvalue())
    assert listed(tmp_path / "a.zip")["parts"] == {"train": dict.fromkeys(sorted(words.split()), 2)}


def test_a_second_name_in_unicode_is_believed(tmp_path: Path, listed: Listed) -> None:
    extra = unicode_path(b"_/0.png", "řeka/0.png")
    (tmp_path / "a.zip").write_bytes(packed(b"_/0.png", b"dog/0.png", extra=extra).getvalue())
    assert listed(tmp_path / "a.zip")["parts"] == {"train": {"dog": 1, "řeka": 1}}


def test_names_that_may_be_read_in_several_ways_are_refused(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    (tmp_path / "a.zip").write_bytes(packed(*encoded("고양이 강아지", "euc_kr")).getvalue())
    assert "pack it again with names in UTF-8" in refused(tmp_path / "a.zip")


def test_people_are_told_too(tmp_path: Path, data: Callable[..., tuple[int, str, str]]) -> None:
    write_images(tmp_path / "f" / "train", 4, classes=("cat", "dog"))
    shutil.copytree(tmp_path / "f" / "train", tmp_path / "f" / "test")
    code, out, _ = data(tmp_path / "f")
    assert code == 0
    assert "The same content in training and test: 8 of 8 test images" in " ".join(out.split())
    assert json.loads(data(tmp_path / "f", "--json")[1])["warnings"]
