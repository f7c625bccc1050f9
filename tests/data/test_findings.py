"""What reading every file of a folder found is remembered as long as no file changes; what cannot be read is said."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from image_files import age, spec_of, write_images

from deit_core.data import Source, load_data, open_source
from deit_core.data.sources.findings import FINDINGS
from deit_core.errors import DataError
from deit_core.image_folders.facts import facts_of


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """20 images of each of three classes, an hour old."""
    write_images(tmp_path / "animals", 20)
    age(tmp_path / "animals")
    return tmp_path / "animals"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The image files that were opened, as they are."""
    opened: list[Path] = []
    whole = Path.read_bytes

    def note(path: Path) -> bytes:
        opened.append(path)
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", note)
    return opened


def opened(root: Path, **changes: object) -> Source:
    return open_source(spec_of(root, **changes), root.parent)


def test_a_folder_is_read_once_for_its_hash(animals: Path, read: list[Path]) -> None:
    first = opened(animals).content_hash
    assert len(read) == 60
    assert opened(animals).content_hash == first
    assert len(read) == 60
    assert opened(animals, colour=False).content_hash != first, "other pixels come of it"
    shutil.rmtree(animals.parent / FINDINGS)
    assert opened(animals).content_hash == first, "what was remembered may be removed"


@pytest.mark.parametrize(
    "change",
    [
        lambda root: write_images(root, 20, size=(24, 24)),
        lambda root: (root / "cow" / "001.png").write_bytes((root / "bee" / "001.png").read_bytes()),
        lambda root: shutil.copy(root / "cow" / "001.png", root / "cow" / "999.png"),
        lambda root: (root / "cow" / "001.png").unlink(),
        lambda root: (root / "cow" / "001.png").rename(root / "cow" / "999.png"),
    ],
    ids=["all rewritten", "one rewritten", "added", "removed", "renamed"],
)
def test_a_change_is_noticed(animals: Path, change: Callable[[Path], object]) -> None:
    before = opened(animals).content_hash
    change(animals)
    after = opened(animals).content_hash
    assert after != before
    age(animals)
    shutil.rmtree(animals.parent / FINDINGS)
    assert opened(animals).content_hash == after, "and it is what is in the files now"


def test_what_was_just_written_is_not_trusted(tmp_path: Path, read: list[Path]) -> None:
    """A file system's clock may be too coarse to tell the next change from this one."""
    write_images(tmp_path / "fresh", 5)
    assert opened(tmp_path / "fresh").content_hash == opened(tmp_path / "fresh").content_hash
    assert len(read) == 2 * 15
    assert not (tmp_path / FINDINGS).exists()


def test_corrupt_files_are_sought_once(animals: Path, read: list[Path]) -> None:
    (animals / "cow" / "004.jpg").write_bytes(b"a list of cows")
    age(animals)
    first = opened(animals, corrupt_images="skip")
    assert len(read) == 60, "and a hash only where someone asks for it"
    known = first.content_hash
    num_read = len(read)
    again = opened(animals, corrupt_images="skip")
    assert first.skipped == again.skipped == (str(Path("cow") / "004.jpg"),)
    assert again.content_hash == known
    assert len(read) == num_read


def test_a_finding_that_somebody_spoilt_is_found_again(animals: Path) -> None:
    first = opened(animals).content_hash
    for file in (animals.parent / FINDINGS).iterdir():
        file.write_text("{")
    assert opened(animals).content_hash == first


def test_a_data_folder_that_cannot_be_written_is_no_hindrance(animals: Path, tmp_path: Path) -> None:
    (tmp_path / FINDINGS).write_text("a file where the folder should be")
    assert opened(animals).content_hash == opened(animals).content_hash


def test_a_link_to_nothing_is_named_and_refused_or_skipped(animals: Path) -> None:
    (animals / "cow" / "link.png").symlink_to(animals / "nowhere.png")
    with pytest.raises(DataError, match=r"link\.png is not there any more, or is a link to nothing;") as caught:
        load_data(spec_of(animals), animals.parent)
    assert "\n" not in str(caught.value)
    assert opened(animals, corrupt_images="skip").skipped == (str(Path("cow") / "link.png"),)


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As if nobody may read what has this name: tests often run as root, who may read all."""

    def denied(path: object) -> PermissionError:
        return PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    whole, scan = Path.read_bytes, os.scandir

    def read_bytes(path: Path) -> bytes:
        if path.name == name:
            raise denied(path)
        return whole(path)

    def scandir(path: str) -> object:
        if Path(path).name == name:
            raise denied(path)
        return scan(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(os, "scandir", scandir)


@pytest.mark.parametrize("name", ["001.png", "cow"])
def test_what_may_not_be_read_is_a_sentence(animals: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, name)
    with pytest.raises(DataError, match=rf"{name} cannot be read by the user who runs DeiT Lab.*chmod") as caught:
        load_data(spec_of(animals), animals.parent)
    assert "\n" not in str(caught.value)


def test_a_folder_that_may_not_be_entered_is_a_sentence(animals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def iterdir(path: Path) -> object:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(DataError, match=r"animals cannot be read"):
        facts_of(spec_of(animals), animals.parent)
