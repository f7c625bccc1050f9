"""What a zip of images may hold, by its list of entries: nothing of it is unpacked for this.

Knows entries and numbers; deit_core.image_folders.archives unpacks.
"""

import re
import stat
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from zipfile import ZipFile, ZipInfo

from deit_core.errors import DataError

MAX_FILES = 200_000
MAX_FOLDERS = 50_000
MAX_DEPTH = 100  # folders around a file
MAX_BYTES = 20_000_000_000
MAX_RATIO = 100  # images are compressed already: a zip that grows more is made to fill a disk
_HEADER_BYTES = 30  # of an entry, before its name


def check_entries(content: ZipFile) -> None:
    """Check the number, kind and size of the entries, whose names are checked already, and that no two share bytes.

    Raises: DataError for what is dangerous or too large.
    """
    entries = content.infolist()
    if len(entries) > MAX_FILES:
        raise DataError(f"The zip contains {len(entries):,} files, and at most {MAX_FILES:,} are allowed; remove some.")
    _check_folders(entry.filename for entry in entries)
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(
                f"{entry.filename!r} in the zip is a link or a device, which could point outside the folder; pack the "
                "files themselves."
            )
        if entry.flag_bits & 1:
            raise DataError(f"{entry.filename!r} in the zip is encrypted; pack it without a password.")
    _check_places(entries, content.start_dir)
    files = [entry for entry in entries if not entry.is_dir()]
    _check_size(files)
    if len({"/".join(PurePosixPath(entry.filename).parts).lower() for entry in files}) < len(files):
        raise DataError("Two files in the zip have the same name; pack it again with each file once.")


def check_name(path: str) -> None:
    """Raises: DataError for a name that would lead out of the folder, or cannot be written."""
    parts = PurePosixPath(path).parts
    is_bad = path.startswith("/") or ".." in parts or re.search(r"[\\\x00-\x1f]|^[A-Za-z]:", path)
    if is_bad or not parts or any(len(part.encode()) > 255 for part in parts):
        raise DataError(
            f"{_short(path)!r} in the zip would be written outside its folder, or cannot be written; pack it again "
            "with plain relative names."
        )
    if len(parts) > MAX_DEPTH + 1:
        raise DataError(
            f"{_short(path)!r} in the zip lies in more than {MAX_DEPTH} folders; pack it again with one folder per "
            "class."
        )


def _check_folders(names: Iterable[str]) -> None:
    folders: set[str] = set()
    for name in names:
        above = name.rstrip("/").rpartition("/")[0]
        while above and above not in folders:  # those above a known one are known
            folders.add(above)
            above = above.rpartition("/")[0]
        if len(folders) > MAX_FOLDERS:
            raise DataError(f"The zip contains more than {MAX_FOLDERS:,} folders; pack one folder per class.")


def _check_places(entries: Sequence[ZipInfo], end: int) -> None:
    """Each entry has bytes of its own between the beginning of the zip and `end`, where the list of entries begins.

    Else a few bytes become many: each of a thousand entries may have the same content.
    """
    if any(entry.header_offset < 0 for entry in entries):
        raise DataError("A file in the zip lies before its beginning, so the zip is damaged; make it again and retry.")
    packed = sum(entry.compress_size for entry in entries)
    if packed > end:
        raise DataError(
            f"The files in the zip claim {packed:,} bytes, more bytes than the whole zip has; make it again and retry."
        )
    places = sorted(
        (entry.header_offset, entry.header_offset + _HEADER_BYTES + entry.compress_size) for entry in entries
    )
    for (_, end_of_one), (next_start, _) in pairwise([*places, (end, end)]):
        if end_of_one > next_start:
            raise DataError("Two files lie over each other in the zip, as in one made to fill a disk; make it again.")


def _check_size(files: Sequence[ZipInfo]) -> None:
    total, packed = (sum(sizes) for sizes in ([e.file_size for e in files], [e.compress_size for e in files]))
    if total > MAX_BYTES:
        raise DataError(
            f"The unpacked zip takes {total / 1e9:.1f} GB, and at most {MAX_BYTES / 1e9:.0f} GB are allowed; unpack it "
            "yourself and use the path of the folder."
        )
    bombs = [e for e in files if e.file_size > 1_000_000 and e.file_size > MAX_RATIO * max(1, e.compress_size)]
    if bombs or total > MAX_RATIO * max(10_000, packed):
        which = repr(_short(bombs[0].filename)) if bombs else "The zip"
        raise DataError(f"{which} would grow more than {MAX_RATIO} times, which images never do; it is not unpacked.")


def _short(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:60]}...{name[-30:]}"
