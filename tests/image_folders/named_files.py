"""Folders and zips of files that have the names of images, but not their content."""

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[[Path, list[str]], Path]


def fill(root: Path, names: Iterable[str]) -> Path:
    """Files of these names, whose content is their name."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def pack(file: Path, names: Iterable[str]) -> Path:
    """A zip of such files."""
    with zipfile.ZipFile(file, "w") as content:
        for name in names:
            content.writestr(name, name)
    return file


MAKERS = pytest.mark.parametrize(
    "make",
    [lambda at, names: fill(at / "f", names), lambda at, names: pack(at / "f.zip", names)],
    ids=["folder", "zip"],
)


def many(folder: str, count: int, ending: str = ".png") -> list[str]:
    return [f"{folder}/{number}{ending}" for number in range(count)]


def classes(part: str, count: int, names: tuple[str, ...] = ("sea", "street")) -> list[str]:
    return [file for name in names for file in many(f"{part}/{name}" if part else name, count)]


# A data set that loses 20 files, because their format is not read.
FIELD = [*many("cat", 8), *many("dog", 8), *many("cow", 8, ".bmp"), *many("cat", 20, ".HEIC")]


def left_out(document: Any) -> dict[str, int]:
    return {one["why"]: one["count"] for one in document["left_out"]}
