"""Folders in folders, on this machine or in a list of names as a zip has it. Knows no images."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """An entry of a folder; a link to a folder is a folder, too."""

    name: str
    is_folder: bool
    is_link: bool = False


class Tree(Protocol):
    """Folders in folders, wherever they are."""

    def entries(self, folder: Path) -> Sequence[Entry]:
        """The entries of a folder, by name. Raises: OSError where it cannot be read."""

    def names(self, folder: Path) -> Sequence[str]:
        """The same, names alone."""

    def real(self, path: Path) -> str:
        """The path without links."""


class Disk:
    """The folders of this machine."""

    def entries(self, folder: Path) -> Sequence[Entry]:
        with os.scandir(folder) as entries:
            return sorted(Entry(entry.name, entry.is_dir(), entry.is_symlink()) for entry in entries)

    def names(self, folder: Path) -> Sequence[str]:
        return [path.name for path in folder.iterdir()]

    def real(self, path: Path) -> str:
        return os.path.realpath(path)


class Names:
    """The folders that file names such as a/b/c.png imply below `root`."""

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        self._inside: dict[Path, set[Entry]] = {root: set()}
        for name in names:
            path, is_folder = root / name, False
            while path != root:
                self._inside.setdefault(path.parent, set()).add(Entry(path.name, is_folder))
                path, is_folder = path.parent, True

    def entries(self, folder: Path) -> Sequence[Entry]:
        return sorted(self._inside[folder])

    def names(self, folder: Path) -> Sequence[str]:
        return [entry.name for entry in self._inside[folder]]

    def real(self, path: Path) -> str:
        return str(path)
