"""Files that are no images: what is left out is counted by its reason and said, and no class loses all its images."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_files import spec_of, write_images
from named_files import FIELD, MAKERS, Make, classes, fill, left_out, many, pack
from PIL import Image

from deit_core import cli
from deit_core.data import load_data
from deit_core.data.sources.decoding import decode_image
from deit_core.events import RunStarted
from deit_core.image_folders import FORMATS
from deit_core.image_folders.listing import SYSTEM_NAMES
from deit_core.spec import RunSpec, replace
from deit_core.training import train


@pytest.mark.parametrize(
    ("ending", "format"), [(ending, name) for name, endings in FORMATS.items() for ending in endings]
)
def test_every_format_is_listed_and_read(
    ending: str, format: str, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    write_images(tmp_path / "f", 5)
    file = tmp_path / "f" / "cow" / f"one{ending.upper()}"
    frames = [Image.new("RGB", (24, 24), colour) for colour in ("teal", "red")]
    animation = {"save_all": True, "append_images": frames[1:]} if format in ("GIF", "TIFF") else {}
    frames[0].save(file, format, **animation)
    document = listed(tmp_path / "f")
    assert (document["parts"]["train"]["cow"], document["left_out"]) == (6, [])
    assert abs(decode_image(file.read_bytes()).astype(int) - (0, 128, 128)).max() < 4, "the first frame"
    assert Image.registered_extensions()[ending] == format.upper()
    assert len(load_data(spec_of(tmp_path / "f", val_fraction=0.4), tmp_path).train)


@MAKERS
def test_what_is_no_image_is_counted_by_its_ending(make: Make, tmp_path: Path, listed: Callable[[Path], Any]) -> None:
    more = ["cat/notes.txt", "read me", "dog/a/b/1.heic", "0.png", "labels/cat.xml", "labels/dog.xml"]
    document = listed(make(tmp_path, FIELD + more))
    assert document["parts"] == {"train": {"cat": 8, "cow": 8, "dog": 8}}
    assert document["left_out"] == [
        {"why": "with ending .heic", "count": 21, "example": document["left_out"][0]["example"]},
        {"why": "with ending .xml", "count": 2, "example": "labels/cat.xml"},
        {"why": "in no folder of a class", "count": 1, "example": "0.png"},
        {"why": "with ending .txt", "count": 1, "example": "cat/notes.txt"},
        {"why": "with no ending", "count": 1, "example": "read me"},
    ]
    assert document["left_out"][0]["example"] == "cat/0.HEIC"
    assert document["warnings"] == ["labels contains no image, so it is not a class."]


@MAKERS
@pytest.mark.parametrize(
    ("files", "words"),
    [
        (many("cow", 20, ".HEIC"), ("cow contains no PNG, JPEG, WebP, BMP, TIFF or GIF file", "20 with ending .heic")),
        (
            many("cow", 2, ".avif") + many("cow", 3, ".txt"),
            ("cow contains no PNG", "3 with ending .txt", "2 with ending"),
        ),
        ([*many("cow/@eaDir", 3), "cow/a"], ("cow contains no PNG", "3 of the system: @eaDir", "1 with no ending")),
    ],
)
@pytest.mark.parametrize("part", ["", "train/", "val/"])
def test_a_class_that_loses_all_its_images_is_refused(
    make: Make, files: list[str], words: tuple[str, ...], part: str, tmp_path: Path, refused: Callable[[Path], str]
) -> None:
    whole = [f"{name}/{file}" for name in ("train", "val") if name != part.strip("/") for file in many("cow", 5)]
    others = [f"{name}/{file}" for name in ("train", "val") for file in classes("", 5, ("cat", "dog"))]
    beside = whole + others if part else classes("", 5, ("cat", "dog"))
    said = refused(make(tmp_path, beside + [part + file for file in files]))
    assert all(word in said for word in words)


def test_nothing_but_unread_files_says_which(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    said = refused(fill(tmp_path / "f", many("cat", 3, ".heic") + many("dog", 4, ".heic")))
    assert "There is no image in" in said
    assert "7 files are left out: 7 with ending .heic (cat/0.heic)." in said


@MAKERS
@pytest.mark.parametrize("name", [*SYSTEM_NAMES, "@EADIR", ".git", "._0", ".ipynb_checkpoints"])
def test_system_folders_are_passed_over_wherever_they_are(
    make: Make, name: str, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    files = classes("a", 20, ("cat", "dog"))
    for at in ("", "a/", "a/cat/", "a/cat/more/"):
        files.append(f"{at}{name}/0.png/SYNOFILE_THUMB_M.jpg")
    document = listed(make(tmp_path, [*files, "a/cat/more/1.png"]))
    assert document["parts"] == {"train": {"cat": 21, "dog": 20}}
    ((why, count),) = left_out(document).items()
    assert count == 4
    assert why.startswith("of the system: ")


@MAKERS
@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", ".DS_Store", "._0.png"])
def test_system_files_are_passed_over(make: Make, name: str, tmp_path: Path, listed: Callable[[Path], Any]) -> None:
    document = listed(make(tmp_path, [name, f"a/{name}", f"a/cat/{name}", *classes("a", 5, ("cat", "dog"))]))
    assert document["parts"] == {"train": {"cat": 5, "dog": 5}}
    assert list(left_out(document).values()) == [3]


def test_a_system_folder_that_may_not_be_read_does_no_harm(tmp_path: Path, listed: Callable[[Path], Any]) -> None:
    root = fill(tmp_path / "f", [*classes("", 5), "lost+found/1.png"])
    (root / "lost+found").chmod(0)
    assert listed(root)["parts"] == {"train": {"sea": 5, "street": 5}}
    (root / "lost+found").chmod(0o700)


def test_a_name_that_is_not_utf_8_is_refused_where_it_is_an_image_and_shown_where_it_is_none(
    tmp_path: Path, listed: Callable[[Path], Any], refused: Callable[[Path], str]
) -> None:
    root = fill(tmp_path / "f", classes("", 5))
    try:
        (root / "sea" / "0.png").rename(root / os.fsdecode(b"sea/caf\xe9.heic"))
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    assert listed(root)["left_out"] == [{"why": "with ending .heic", "count": 1, "example": "sea/caf\ufffd.heic"}]
    (root / "sea" / "1.png").rename(root / os.fsdecode(b"sea/caf\xe9.png"))
    assert "caf\ufffd.png is not UTF-8" in refused(root)


def test_the_import_says_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.data.import_images(pack(tmp_path / "f.zip", FIELD), data_dir=tmp_path / "data")
    assert "20 files are left out: 20 with ending .heic (cat/0.HEIC)." in capsys.readouterr().out
    files = [path.name for path in (tmp_path / "data" / "folders" / "f").rglob("*") if path.is_file()]
    assert sorted({Path(name).suffix for name in files}) == [".bmp", ".png"]


def test_a_run_s_story_says_what_is_left_out(tmp_path: Path, tiny: RunSpec) -> None:
    write_images(tmp_path / "f", 20)
    fill(tmp_path / "f", many("cow", 7, ".heic"))
    (tmp_path / "f" / "cow" / "000.jpg").write_bytes(b"no image")
    changes = {"data.source": "folder", "data.path": "f", "data.corrupt_images": "skip", "optim.batch_size": 8}
    spec = replace(tiny, changes)
    events = train(spec, run_dir=tmp_path / "run", data_dir=tmp_path)
    started = next(event for event in events if isinstance(event, RunStarted))
    events.close()
    assert started.notes[:2] == (
        "7 files are left out: 7 with ending .heic (cow/0.heic).",
        "Skipped, because they cannot be read: cow/000.jpg.",
    )
