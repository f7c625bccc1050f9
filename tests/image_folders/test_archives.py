"""A zip of images becomes a folder to train on; what is dangerous or no data set is refused, and nothing is written."""

import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_zips import claiming, deep, many_folders, quoted_overlap
from image_files import CLASSES, write_images

from deit_core.data import load_data
from deit_core.errors import DataError
from deit_core.image_folders import archives, list_names, zip_checks
from deit_core.image_folders.archives import import_zip, imported, list_zip
from deit_core.image_folders.facts import facts_of
from deit_core.spec import DataSpec


@pytest.fixture
def animals_zip(tmp_path: Path) -> Path:
    write_images(tmp_path / "packed" / "animals", 6)
    (tmp_path / "packed" / "animals" / "README.txt").write_text("words")
    return Path(shutil.make_archive(str(tmp_path / "animals"), "zip", tmp_path / "packed"))


def test_a_zip_becomes_a_folder_to_train_on(animals_zip: Path, tmp_path: Path) -> None:
    path = import_zip(animals_zip, "my animals", tmp_path / "data")
    assert imported(tmp_path / "data") == [path] == ["folders/my animals"]
    spec = DataSpec(source="folder", path=path, img_size=16, val_fraction=0.25)
    assert facts_of(spec, tmp_path / "data").classes == CLASSES
    assert load_data(spec, tmp_path / "data").train.images.shape[1:] == (3, 16, 16)
    assert not list((tmp_path / "data").rglob("*.txt"))
    with pytest.raises(DataError, match="A folder 'my animals' exists already"):
        import_zip(animals_zip, "my animals", tmp_path / "data")


def zip_of(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as content:
        for name, data in entries:
            content.writestr(name, data)
    return file


def damaged_lzma() -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as content:
        content.writestr("bee/1.png", bytes(range(256)))
    damaged = bytearray(file.getvalue())
    damaged[30 + len("bee/1.png") + 4] = 0xFF  # after the entry's header: what LZMA was set to
    return io.BytesIO(damaged)


def name_of_invalid_utf8() -> io.BytesIO:
    return io.BytesIO(zip_of(("bee/\u00e9.png", b"x")).getvalue().replace("\u00e9".encode(), b"\xff\xff"))


def link_to(target: str) -> io.BytesIO:
    entry = zipfile.ZipInfo("bee/1.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zip_of((entry, target.encode()))


def encrypted() -> io.BytesIO:
    content = bytearray(zip_of(("bee/1.png", b"x")).getvalue())
    content[content.index(b"PK\1\2") + 8] |= 1
    return io.BytesIO(content)


def before_its_beginning() -> io.BytesIO:
    content = bytearray(zip_of(("bee/1.png", b"x"), ("cat/1.png", b"x")).getvalue())
    begins = len(content) - 22 + 16  # where the end of the zip says that the list of entries begins
    said = int.from_bytes(content[begins : begins + 4], "little") + 158
    content[begins : begins + 4] = said.to_bytes(4, "little")
    return io.BytesIO(content)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: zip_of(("../bee/1.png", b"x")), "outside its folder"),
        (lambda: zip_of(("a/../../1.png", b"x")), "outside its folder"),
        (lambda: zip_of(("/etc/1.png", b"x")), "outside its folder"),
        (lambda: zip_of(("C:/1.png", b"x")), "outside its folder"),
        (lambda: zip_of(("a\\..\\..\\1.png", b"x")), "outside its folder"),
        (lambda: zip_of(("a/" + "n" * 300 + ".png", b"x")), "cannot be written"),
        (lambda: link_to("/etc/passwd"), "is a link or a device"),
        (lambda: zip_of(("bee/1.png", bytes(50_000_000))), "would grow more than 100 times"),
        (lambda: zip_of(*((f"bee/{n}.png", bytes(900_000)) for n in range(20))), "The zip would grow more than 100"),
        (encrypted, "is encrypted"),
        (lambda: zip_of(("bee/1.png", b"x"), ("BEE/1.png", b"y")), "have the same name"),
        (lambda: zip_of(("bee/words.txt", b"x")), "no PNG, JPEG, WebP, BMP, TIFF or GIF file in the zip"),
        (lambda: zip_of(("bee/1.png", b"x"), ("bee/2.png", b"y")), "only one class in the zip"),
        (lambda: io.BytesIO(b"these are words"), "not a zip, or is damaged"),
        (damaged_lzma, "not a zip, or is damaged"),
        (before_its_beginning, "lies before its beginning"),
        (name_of_invalid_utf8, "not a zip, or is damaged"),
        (lambda: io.BytesIO(zip_of(("bee/1.png", b"x" * 50)).getvalue()[:60]), "not a zip, or is damaged"),
    ],
)
def test_what_is_dangerous_or_no_data_set_is_refused_with_a_sentence(
    make: Callable[[], io.BytesIO], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        import_zip(make(), "animals", tmp_path / "data")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()]


@pytest.mark.parametrize(("limit", "words"), [("MAX_FILES", "at most 3 are allowed"), ("MAX_BYTES", "GB are allowed")])
def test_number_and_size_are_limited(
    limit: str, words: str, animals_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_checks, limit, 3)
    with pytest.raises(DataError, match=words):
        import_zip(animals_zip, "animals", tmp_path / "data")


def test_a_damaged_entry_leaves_nothing_behind(animals_zip: Path, tmp_path: Path) -> None:
    content = bytearray(animals_zip.read_bytes())
    with zipfile.ZipFile(animals_zip) as packed:
        entry = next(e for e in packed.infolist() if e.filename.endswith(".png"))
    content[entry.header_offset + 80] ^= 0xFF
    with pytest.raises(DataError, match="damaged"):
        import_zip(io.BytesIO(content), "animals", tmp_path / "data")
    assert imported(tmp_path / "data") == []
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", ".hidden", "x" * 90, "dot."])
def test_names_stay_inside_the_data_folder(name: str, animals_zip: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be the name"):
        import_zip(animals_zip, name, tmp_path / "data")


def test_the_command_says_how_to_train_on_it(animals_zip: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deit_core", "import", str(animals_zip), "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert "14 images for training and 4 for testing, 3 classes" in done.stdout
    assert "--set data.path='folders/animals'" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert again.returncode == 2
    assert again.stderr.startswith("Error: A folder 'animals' exists already")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: quoted_overlap(200, 20_000), "more bytes than the whole zip has"),
        (lambda: quoted_overlap(200, 20_000, padding=5_000_000), "lie over each other in the zip"),
        (lambda: claiming(packed=59_000_000, unpacked=3_800_000_000), "more bytes than the whole zip has"),
        (lambda: deep(1_200), "in more than 100 folders"),
    ],
)
def test_a_zip_made_to_do_harm_is_refused_before_anything_is_unpacked(
    make: Callable[[], io.BytesIO], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        list_zip(make())


def test_the_number_of_folders_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_checks, "MAX_FOLDERS", 50)
    with pytest.raises(DataError, match="more than 50 folders"):
        list_zip(many_folders(60))


def test_a_long_list_of_entries_is_not_read(animals_zip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_LIST_BYTES", 500)
    with pytest.raises(DataError, match="The list of the files in the zip takes 0 MB"):
        list_zip(animals_zip)


@pytest.mark.parametrize("where", ["cow", ".system"])
def test_a_folder_may_be_far_below_others(where: str) -> None:
    deep = where + "/a" * 1_000 + "/1.png"
    assert list_names(["bee/1.png", "cow/1.png", deep], Path("animals")).classes == ("bee", "cow")


def test_what_a_killed_import_left_is_removed_by_the_next(animals_zip: Path, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folders = tmp_path / "data" / "folders"
    left, own = folders / f".import-{ended.pid}-x1", folders / f".import-{os.getpid()}-x2"
    mine = folders / ".import-notes"
    for folder in (left, own, mine):
        (folder / "animals").mkdir(parents=True)
    import_zip(animals_zip, "animals", tmp_path / "data")
    assert not left.exists()
    assert own.exists(), "its process lives"
    assert mine.exists(), "not a name that imports give"
