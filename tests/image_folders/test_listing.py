"""What `data` says of a folder or a zip: its parts and classes, what is left out and why; and what it refuses."""

import json
import os
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from image_files import spec_of, write_images
from PIL import Image

from deit_core import cli
from deit_core.data import load_data, open_source
from deit_core.data.sources.decoding import decode_image
from deit_core.events import RunStarted
from deit_core.image_folders import FORMATS, list_folder
from deit_core.image_folders.listing import SYSTEM_NAMES
from deit_core.spec import RunSpec, replace
from deit_core.training import train

NFC, NFD = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))


def fill(root: Path, names: Iterable[str]) -> Path:
    """Files of these names, whose content is their name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def pack(file: Path, names: Iterable[str]) -> Path:
    with zipfile.ZipFile(file, "w") as content:
        for name in names:
            content.writestr(name, name)
    return file


def many(folder: str, count: int, ending: str = ".png") -> list[str]:
    return [f"{folder}/{number}{ending}" for number in range(count)]


def classes(part: str, count: int, names: tuple[str, ...] = ("sea", "street")) -> list[str]:
    return [file for name in names for file in many(f"{part}/{name}" if part else name, count)]


def left_out(document: Any) -> dict[str, int]:
    return {one["why"]: one["count"] for one in document["left_out"]}


MAKERS = pytest.mark.parametrize(
    "make",
    [lambda at, names: fill(at / "f", names), lambda at, names: pack(at / "f.zip", names)],
    ids=["folder", "zip"],
)
Make = Callable[[Path, list[str]], Path]


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


FIELD = [*many("cat", 8), *many("dog", 8), *many("cow", 8, ".bmp"), *many("cat", 20, ".HEIC")]


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


LINKS: dict[str, tuple[dict[str, str], dict[str, int], dict[str, int]]] = {
    "a folder far away": ({"f/cat/more": "far/cat"}, {"cat": 15, "dog": 5}, {}),
    "deeper, in both classes": ({"f/cat/a/more": "far/cat", "f/dog/more": "far/cat"}, {"cat": 15, "dog": 15}, {}),
    "a link behind a link": ({"f/cat/more": "far", "far/more": "further"}, {"cat": 18, "dog": 5}, {}),
    "itself": ({"f/cat/more": "f/cat"}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "the data set": ({"f/cat/more": "f"}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "above the data set": ({"f/cat/more": "."}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "the data set, as a class": ({"f/all": "f"}, {"cat": 5, "dog": 5}, {"through a link to a folder around it": 1}),
    "back by two links": (
        {"f/cat/more": "far/cat", "far/cat/back": "f/cat"},
        {"cat": 15, "dog": 5},
        {"through a link to a folder around it": 1},
    ),
    "in a ring of three": (
        {"f/cat/more": "far/cat", "far/cat/on": "further", "further/back": "far"},
        {"cat": 18, "dog": 5},
        {"through a link to a folder around it": 1},
    ),
    "twice": (
        {"f/cat/a": "far/cat", "f/cat/b": "far/cat"},
        {"cat": 15, "dog": 5},
        {"through a second link to a folder that is read": 1},
    ),
    "what the class holds anyway": (
        {"f/cat/a": "f/cat/z"},
        {"cat": 7, "dog": 5},
        {"through a second link to a folder that is read": 1},
    ),
    "what holds what is read already": ({"f/cat/a": "far/cat", "f/cat/b": "far"}, {"cat": 15, "dog": 5}, {}),
    "a class": ({"f/emu": "far/cat"}, {"cat": 5, "dog": 5, "emu": 10}, {}),
}


@pytest.mark.parametrize("links", LINKS)
def test_links_to_folders_are_followed_once_and_never_upwards(
    links: str, tmp_path: Path, listed: Callable[[Path], Any]
) -> None:
    made, counts, why = LINKS[links]
    fill(tmp_path, many("far/cat", 10) + many("further", 3) + classes("f", 5, ("cat", "dog")))
    if links.startswith("what the class"):
        fill(tmp_path, many("f/cat/z", 2))
    for link, target in made.items():
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(tmp_path / target, target_is_directory=True)
    document = listed(tmp_path / "f")
    assert document["parts"] == {"train": counts}
    assert left_out(document) == why


def test_a_folder_that_is_only_a_link_to_itself_ends(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "f").symlink_to(tmp_path / "f")
    assert "There is no image in" in refused(tmp_path / "f")


def test_a_folder_with_a_link_to_it_keeps_its_own_path(tmp_path: Path) -> None:
    """It had that path, and the data that hash, before links were followed."""
    root = fill(tmp_path / "f", classes("", 5) + many("sea/z", 2))
    (root / "sea" / "a").symlink_to(root / "sea" / "z")
    files = list_folder(root).train.files
    assert [str(path.relative_to(root)) for path in files[5:7]] == ["sea/z/0.png", "sea/z/1.png"]


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


def test_a_known_name_is_the_data_set_and_all_else_is_a_path_from_here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: Callable[[Path], Any],
    data: Callable[..., tuple[int, str, str]],
) -> None:
    fill(tmp_path / "here" / "animals", classes("", 5))
    fill(tmp_path / "here" / "digits", classes("", 5))
    fill(tmp_path / "data" / "animals", classes("", 6))
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DEIT_DATA_DIR", str(tmp_path / "data"))
    assert listed(Path("animals"))["parts"] == {"train": {"sea": 5, "street": 5}}
    assert data("./digits", "--json")[1] == data("animals", "--json")[1]
    known = listed(Path("digits"))
    assert {part: sum(counts.values()) for part, counts in known["parts"].items()} == {"train": 1437, "test": 360}
    assert data("digits")[1].startswith("Digits: 1437 training and 360 test images")


@pytest.mark.parametrize("name", ["imagenet", "~nosuchuser/x", "a" * 300, "notes.txt", "cut.zip", "folder/0.png"])
def test_what_is_no_data_set_is_a_sentence_on_stderr_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[[Path], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, ["notes.txt", "folder/0.png"])
    (tmp_path / "cut.zip").write_bytes(pack(tmp_path / "whole.zip", classes("", 5)).read_bytes()[:-30])
    assert refused(Path(name))


def test_a_zip_is_checked_as_on_import_and_nothing_is_unpacked(
    tmp_path: Path, refused: Callable[[Path], str], listed: Callable[[Path], Any]
) -> None:
    assert "outside its folder" in refused(pack(tmp_path / "bad.zip", [*classes("", 5), "../0.png"]))
    listed(pack(tmp_path / "good.zip", classes("", 5)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip", "good.zip"]


def test_people_see_the_same(tmp_path: Path, data: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = data(fill(tmp_path / "f", [*FIELD, "labels/1.xml"]))
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["class", "train"] in lines
    assert ["cow", "8"] in lines
    assert ["20", "with", "ending", ".heic", "cat/0.HEIC"] in lines
    assert "Warning: labels contains no image" in out


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


def test_a_pipe_gets_one_document(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deit_core", "data", str(fill(tmp_path / "f", FIELD)), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert json.loads(done.stdout)["parts"] == {"train": {"cat": 8, "cow": 8, "dog": 8}}
