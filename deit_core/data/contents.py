"""What a person should know of the images of a folder before they train: one content in two parts, grey of many bits.

Knows files; nothing of seeds or fractions. What takes looking into every file is found out once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from deit_core.data.findings import found_once
from deit_core.data.folder_images import map_ahead
from deit_core.data.grey_levels import DEEP_FORMATS, is_deep, range_of
from deit_core.data.inputs import MAX_PIXELS
from deit_core.data.reading import Tell, silently, told
from deit_core.folders import ImageFolder

_SAMPLE_BYTES = 4096
_AHEAD = 256  # files


class Contents(NamedTuple):
    """Files in groups of one content, and how many images hold grey of more than 8 bits, by its range in words."""

    alike: list[list[Path]]
    deep: dict[str, int]


def content_warnings(folder: ImageFolder, tell: Tell = silently, *, data_dir: Path | None = None) -> tuple[str, ...]:
    """Sentences on the files of a folder, by the parts that it has of its own.

    Args: data_dir: where what was found is kept for the next time.
    """
    named = {"training": folder.train, "validation": folder.val, "test": folder.test}
    parts = {name: part.files for name, part in named.items() if part is not None}
    files = [file for part in parts.values() for file in part]
    return warnings_of(folder.root, parts, find_contents(folder.root, files, data_dir, tell))


def find_contents(root: Path, files: Sequence[Path], data_dir: Path | None, tell: Tell) -> Contents:
    """Look into the files of a folder; those that cannot be read are left to whoever reads their pixels."""
    files = sorted(files)

    def find() -> tuple[list[list[int]], dict[str, int]]:
        ranges = told(map_ahead(_range, files, _AHEAD), "Looking for grey of 16 bits", len(files), tell)
        return list(_alike(files, tell)), dict(Counter(filter(None, ranges)))

    groups, deep = found_once("contents", root, files, data_dir, find)
    return Contents([[files[position] for position in group] for group in groups], deep)


def warnings_of(root: Path, parts: Mapping[str, Sequence[Path]], contents: Contents) -> tuple[str, ...]:
    """Sentences on what stands in two of the parts, which are named as people call them, and on deep grey."""
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
                f"for example {copy} is {known_as}. Remove the copies: a model does better on what it has seen."
            )
    return (*sentences, *_on_grey(contents.deep))


def _on_grey(deep: Mapping[str, int]) -> Iterator[str]:
    if not deep:
        return
    used = ", ".join(f"{what} in {count:,}" for what, count in sorted(deep.items()))
    sentence = (
        f"Images with grey of more than 8 bits: {sum(deep.values()):,}, scaled to 256 levels by its range ({used})."
    )
    if len(deep) > 1:
        sentence += " Each is scaled by its own, so their brightness cannot be compared; save all with one range."
    yield sentence


def _range(file: Path) -> str:
    """The range of an image's deep grey, in words; empty where it has none."""
    try:
        with Image.open(file, formats=DEEP_FORMATS) as image:
            return range_of(image) if is_deep(image) and image.width * image.height <= MAX_PIXELS else ""
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ""


def _alike(files: Sequence[Path], tell: Tell) -> Iterator[list[int]]:
    """Positions of files in groups of one content. Most differ in size or in their middle, so few are read whole."""
    keys: dict[int, tuple[Any, ...]] = dict.fromkeys(range(len(files)), ())
    for look in (_size, _middle, _digest):
        for position in told(list(keys), "Looking for the same content twice", len(keys), tell):
            try:
                keys[position] += (look(files[position]),)
            except OSError:
                del keys[position]
        counts = Counter(keys.values())
        keys = {position: key for position, key in keys.items() if counts[key] > 1}
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, key in keys.items():
        groups.setdefault(key, []).append(position)
    yield from groups.values()


def _size(file: Path) -> int:
    return file.stat().st_size


def _middle(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(_size(file) // 2)
        return opened.read(_SAMPLE_BYTES)


def _digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
