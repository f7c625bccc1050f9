"""Imports a zip of images into the data folder. Everything is checked before anything is written.

Knows archives and files; zip_checks.py refuses what is dangerous, and deit_core.image_folders decides what is an image
and which folder is a data set. Only images are unpacked.
"""

import lzma
import os
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePath
from typing import IO

from deit_core.errors import DataError
from deit_core.files import is_there, remove_left_folders
from deit_core.image_folders import ONE_FORMAT, ImageFolder, images_among, list_names
from deit_core.image_folders.zip_checks import check_entries, check_name
from deit_core.image_folders.zip_names import final_names
from deit_core.refusals import refusal

MAX_LIST_BYTES = 40_000_000  # of a zip's list of entries, which is read into memory whole
IMPORTED = "folders"  # inside the data folder
_UNFINISHED = ".import-"  # then the number of the process that unpacks
_ROOT = Path("the zip")  # the name of the new folder in messages

_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    UnicodeDecodeError,
    NotImplementedError,
    EOFError,
    struct.error,
)


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
    remove_unfinished(data_dir)
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


class _Limited:
    """A file as zipfile reads it, which reads the list of entries in one piece: not more than `MAX_LIST_BYTES`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > MAX_LIST_BYTES:
            raise DataError(
                f"The list of the files in the zip takes {size / 1e6:.0f} MB, and at most {MAX_LIST_BYTES / 1e6:.0f} "
                "MB are allowed; use fewer files or shorter names."
            )
        return self._file.read(size)


def remove_unfinished(data_dir: Path) -> None:
    """Remove what imports have left in the data folder whose process was killed."""
    remove_left_folders(data_dir / IMPORTED, _UNFINISHED)


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
        with (
            archive.open("rb") if isinstance(archive, Path) else nullcontext(archive) as file,
            zipfile.ZipFile(_Limited(file)) as content,
        ):
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
    check_entries(content)
    entries = [entry for entry in content.infolist() if not entry.is_dir()]
    images = images_among(entry.filename for entry in entries)
    if not images:
        raise DataError(f"There is no {ONE_FORMAT} file in the zip for {name!r}; pack one folder per class.")
    return [entry for entry in entries if PurePath(entry.filename) in images]


def _name_entries(content: zipfile.ZipFile) -> None:
    """Give all entries their original names, after these were checked."""
    entries = content.infolist()
    for entry, name in zip(entries, final_names(entries), strict=True):
        check_name(name)
        entry.filename = name


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
    prefix = f"{_UNFINISHED}{os.getpid()}-"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=prefix, ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / target.name
        for number, entry in enumerate(entries, 1):
            content.extract(entry, folder)
            note(number / len(entries))
        _listed(content)
        folder.rename(target)
