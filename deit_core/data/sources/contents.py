"""Warnings on the images of a folder before training: the same image in two parts, grey images of many bits.

Knows files; nothing of seeds or fractions. A result that needs every file is computed once and kept.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from PIL import Image

from deit_core.data.sources.decoding import check_size
from deit_core.data.sources.findings import found_once
from deit_core.data.sources.folder_images import map_ahead
from deit_core.data.sources.grey_levels import DEEP_FORMATS, is_deep, range_of
from deit_core.data.sources.progress import OnProgress, no_progress, with_progress
from deit_core.errors import DataError
from deit_core.image_folders import ImageFolder

_SAMPLE_BYTES = 4096
_AHEAD = 256  # files


class Access(Protocol):
    """How files are read: from a disk, or as deit_core.image_folders.archives.ZippedFiles does."""

    def size(self, file: Path) -> int: ...

    def open(self, file: Path) -> IO[bytes]: ...


class _OnDisk:
    def size(self, file: Path) -> int:
        return file.stat().st_size

    def open(self, file: Path) -> IO[bytes]:
        return file.open("rb")


_ON_DISK = _OnDisk()


class Contents(NamedTuple):
    """Files in groups with the same content, and the number of images with grey of more than 8 bits, by range."""

    alike: list[list[Path]]
    deep: dict[str, int]


def content_warnings(
    folder: ImageFolder,
    on_progress: OnProgress = no_progress,
    *,
    data_dir: Path | None = None,
    access: Access = _ON_DISK,
) -> tuple[str, ...]:
    """Sentences on the files of a folder, by its own parts.

    Args:
        data_dir: where the results are kept for the next time.
        access: how its files are read.
    """
    named = {"training": folder.train, "validation": folder.val, "test": folder.test}
    parts = {name: part.files for name, part in named.items() if part is not None}
    files = [file for part in parts.values() for file in part]
    return warnings_of(folder.root, parts, find_contents(folder.root, files, data_dir, on_progress, access))


def find_contents(
    root: Path, files: Sequence[Path], data_dir: Path | None, on_progress: OnProgress, access: Access = _ON_DISK
) -> Contents:
    """Read the files of a folder; files that cannot be read are ignored here: reading their pixels reports them."""
    files = sorted(files)

    def find() -> tuple[list[list[int]], dict[str, int]]:
        ranges = with_progress(
            map_ahead(partial(_range, access), files, _AHEAD), "Looking for grey of 16 bits", len(files), on_progress
        )
        return list(_alike(files, on_progress, access)), dict(Counter(filter(None, ranges)))

    groups, deep = found_once("contents", root, files, data_dir, find)
    return Contents([[files[position] for position in group] for group in groups], deep)


def warnings_of(root: Path, parts: Mapping[str, Sequence[Path]], contents: Contents) -> tuple[str, ...]:
    """Sentences on images that are in two of the parts, and on grey of more than 8 bits."""
    part_of = {file: name for name, files in parts.items() for file in files}
    groups = [[file for file in group if file in part_of] for group in contents.alike]
    sentences = []
    for first, second in combinations(parts, 2):
        pairs = []
        for group in groups:
            known = [file for file in group if part_of[file] == first]
            pairs += [(file, known[0]) for file in group if known and part_of[file] == second]
        if pairs:
            copy, known_as = (file.relative_to(root).as_posix() for file in pairs[0])
            sentences.append(
                f"The same content in {first} and {second}: {len(pairs):,} of {len(parts[second]):,} {second} images, "
                f"for example {copy} is {known_as}. Remove the copies: a model does better on images it has learned."
            )
    return (*sentences, *_on_grey(contents.deep))


def _on_grey(deep: Mapping[str, int]) -> Iterator[str]:
    if not deep:
        return
    used = ", ".join(f"{what} in {count:,}" for what, count in sorted(deep.items()))
    sentence = (
        f"Images with grey of more than 8 bits: {sum(deep.values()):,}, scaled to 256 levels by their range ({used})."
    )
    if len(deep) > 1:
        sentence += (
            " Each is scaled by its own range, so their brightness cannot be compared; save all with the same range."
        )
    yield sentence


def _range(access: Access, file: Path) -> str:
    """The range of an image's deep grey, in words; empty where it has none."""
    try:
        with access.open(file) as opened, Image.open(opened, formats=DEEP_FORMATS) as image:
            check_size(image)
            return range_of(image) if is_deep(image) else ""
    except (OSError, SyntaxError, ValueError, DataError, Image.DecompressionBombError):
        return ""


def _alike(files: Sequence[Path], on_progress: OnProgress, access: Access) -> Iterator[list[int]]:
    """Positions of files in groups with the same content. Most differ in size or in the middle: few are read whole."""
    keys: dict[int, tuple[Any, ...]] = dict.fromkeys(range(len(files)), ())
    looks: tuple[Callable[[Access, Path], int | bytes], ...] = (_size, _middle, _digest)
    for look in looks:
        for position in with_progress(list(keys), "Looking for the same content twice", len(keys), on_progress):
            try:
                keys[position] += (look(access, files[position]),)
            except OSError:
                del keys[position]
        counts = Counter(keys.values())
        keys = {position: key for position, key in keys.items() if counts[key] > 1}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, key in keys.items():
        groups.setdefault(key, []).append(position)
    yield from groups.values()


def _size(access: Access, file: Path) -> int:
    return access.size(file)


def _middle(access: Access, file: Path) -> bytes:
    with access.open(file) as opened:
        opened.seek(access.size(file) // 2)
        return opened.read(_SAMPLE_BYTES)


def _digest(access: Access, file: Path) -> bytes:
    with access.open(file) as opened:
        return hashlib.file_digest(opened, "sha256").digest()  # type: ignore[arg-type]
