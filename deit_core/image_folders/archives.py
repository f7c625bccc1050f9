"""Imports a zip of images into the data folder. Everything is checked before anything is written.

Knows archives and files; deit_core.image_folders decides what is an image and which folder is a data
set. Only images are unpacked.
"""

import lzma
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

from deit_core.errors import DataError
from deit_core.files import is_there
from deit_core.image_folders import ONE_FORMAT, ImageFolder, images_among, list_names
from deit_core.image_folders.zip_names import final_names
from deit_core.refusals import refusal

MAX_FILES = 200_000
MAX_BYTES = 20_000_000_000
MAX_RATIO = 100  # images are compressed already: a zip that grows more is made to fill a disk
IMPORTED = "folders"  # inside the data folder
_ROOT = Path("the zip")  # the name of the new folder in messages

_DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, UnicodeDecodeError, NotImplementedError, EOFError)


def import_zip(
    archive: Path | IO[bytes], name: str, data_dir: Path, note: Callable[[float], None] = lambda share: None
) -> str:
    """Unpack a zip of images into the data folder, whole or not at all.

    Args:
        archive: a path or an open file.
        name: what the folder will be called; letters, digits, spaces, dots, hyphens and underscores.
        note: called with the share that is unpacked, after each file.
    Returns: what `data.path` of a spec should be.
    Raises: DataError where the archive is damaged, dangerous, too large, or no data set, or the name is taken.
    """
    if not re.fullmatch(r"\w[\w .-]{0,79}", name) or name.endswith((" ", ".")):
        raise DataError(
            f"{name!r} cannot be the name of a folder; use letters, digits, spaces, dots, hyphens and underscores."
        )
    target = data_dir / IMPORTED / name
    if is_there(target):
        raise DataError(f"A folder {name!r} exists already; choose another name, or remove {target} first.")
    with _opened(archive, target) as content:
        entries = _checked(content, name)
        _check_room(entries, data_dir)
        _unpack(content, entries, target, note)
    return f"{IMPORTED}/{name}"


@contextmanager
def open_zip(archive: Path | IO[bytes]) -> Iterator[tuple[ImageFolder, "ZippedFiles"]]:
    """The files that `import_zip` would unpack or leave out, with the names in the zip. Nothing is written.

    Raises: DataError where the archive is damaged, dangerous, too large, or no data set.
    """
    with _opened(archive) as content:
        _checked(content, _ROOT.name)
        yield _listed(content), ZippedFiles(content, _ROOT)


def list_zip(archive: Path | IO[bytes]) -> ImageFolder:
    """The list of `open_zip`, without reading any file."""
    with open_zip(archive) as (listed, _):
        return listed


class ZippedFiles:
    """The files of an open zip, read from the zip, by their paths below `root`."""

    def __init__(self, content: zipfile.ZipFile, root: Path) -> None:
        self._content = content
        self._entries = {root / entry.filename: entry for entry in content.infolist()}

    def size(self, file: Path) -> int:
        return self._entries[file].file_size

    def open(self, file: Path) -> IO[bytes]:
        return self._content.open(self._entries[file])


def imported(data_dir: Path) -> list[str]:
    """The folders that have been imported, as `data.path` names them."""
    root = data_dir / IMPORTED
    if not root.is_dir():
        return []
    return sorted(f"{IMPORTED}/{path.name}" for path in root.iterdir() if path.is_dir() and path.name[0] != ".")


@contextmanager
def _opened(archive: Path | IO[bytes], target: Path | None = None) -> Iterator[zipfile.ZipFile]:
    """The zip, to be read, or to be unpacked into `target`."""
    which = archive if isinstance(archive, Path) else "This"
    try:
        with zipfile.ZipFile(archive) as content:
            yield content
    except _DAMAGES as error:
        raise DataError(f"{which} is not a zip, or is damaged ({error}); make it again and retry.") from None
    except OSError as error:
        raise DataError(refusal(error, target or which, verb="written" if target else "read")) from None


def _listed(content: zipfile.ZipFile) -> ImageFolder:
    return list_names((entry.filename for entry in content.infolist() if not entry.is_dir()), _ROOT)


def _checked(content: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """The images among the entries, after all entries were checked."""
    _name_entries(content)
    entries = [entry for entry in content.infolist() if not entry.is_dir()]
    if len(entries) > MAX_FILES:
        raise DataError(f"The zip contains {len(entries):,} files, and at most {MAX_FILES:,} are allowed; remove some.")
    for entry in content.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(
                f"{entry.filename!r} in the zip is a link or a device, which could point outside the folder; pack the "
                "files themselves."
            )
        if entry.flag_bits & 1:
            raise DataError(f"{entry.filename!r} in the zip is encrypted; pack it without a password.")
    _check_size(entries)
    if len({"/".join(PurePosixPath(entry.filename).parts).lower() for entry in entries}) < len(entries):
        raise DataError("Two files in the zip have the same name; pack it again with each file once.")
    images = images_among(entry.filename for entry in entries)
    if not images:
        raise DataError(f"There is no {ONE_FORMAT} file in the zip for {name!r}; pack one folder per class.")
    return [entry for entry in entries if PurePath(entry.filename) in images]


def _name_entries(content: zipfile.ZipFile) -> None:
    """Give all entries their original names, after these were checked."""
    entries = content.infolist()
    for entry, name in zip(entries, final_names(entries), strict=True):
        _check_name(name)
        entry.filename = name


def _check_name(path: str) -> None:
    parts = PurePosixPath(path).parts
    is_bad = path.startswith("/") or ".." in parts or re.search(r"[\\\x00-\x1f]|^[A-Za-z]:", path)
    if is_bad or not parts or any(len(part.encode()) > 255 for part in parts):
        raise DataError(
            f"{path!r} in the zip would be written outside its folder, or cannot be written; pack it again with "
            "plain relative names."
        )


def _check_size(entries: Sequence[zipfile.ZipInfo]) -> None:
    total, packed = (sum(sizes) for sizes in ([e.file_size for e in entries], [e.compress_size for e in entries]))
    if total > MAX_BYTES:
        raise DataError(
            f"The unpacked zip takes {total / 1e9:.1f} GB, and at most {MAX_BYTES / 1e9:.0f} GB are allowed; unpack it "
            "yourself and use the path of the folder."
        )
    bombs = [e for e in entries if e.file_size > 1_000_000 and e.file_size > MAX_RATIO * max(1, e.compress_size)]
    if bombs or total > MAX_RATIO * max(10_000, packed):
        which = repr(bombs[0].filename) if bombs else "The zip"
        raise DataError(f"{which} would grow more than {MAX_RATIO} times, which images never do; it is not unpacked.")


def _check_room(entries: Sequence[zipfile.ZipInfo], data_dir: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    needed, free = sum(entry.file_size for entry in entries), shutil.disk_usage(data_dir).free
    if needed > 0.9 * free:
        raise DataError(
            f"The images need {needed / 1e9:.1f} GB, but {data_dir} has only {free / 1e9:.1f} GB free; free some space."
        )


def _unpack(
    content: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], target: Path, note: Callable[[float], None]
) -> None:
    """Unpack into a temporary folder; move it into place once it is a valid data set."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".import-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / target.name
        for number, entry in enumerate(entries, 1):
            content.extract(entry, folder)
            note(number / len(entries))
        _listed(content)
        folder.rename(target)
