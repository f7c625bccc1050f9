"""Which files in a folder and below it are images, and what is left out.

Images are listed here and nowhere else. Reads names, no pixels; knows nothing of classes or of parts.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from deit_core.errors import DataError
from deit_core.image_folders.image_formats import is_image
from deit_core.image_folders.left_out import Tally, printable
from deit_core.image_folders.trees import Disk, Names, Tree
from deit_core.refusals import refusal

SYSTEM_NAMES = (  # names of system files, in upper or lower case; and every name that begins with a dot
    *("@eaDir", "#recycle", "@Recycle", "#snapshot", "__MACOSX", "lost+found", "$RECYCLE.BIN"),
    *("System Volume Information", "Thumbs.db", "ehthumbs.db", "desktop.ini"),
)
_SYSTEM_NAMES = {name.lower(): name for name in SYSTEM_NAMES}


@dataclass
class Contents:
    """The contents of one folder, in the order of the names. `links` are those of the folders that are elsewhere."""

    folders: list[Path] = field(default_factory=list)
    links: set[Path] = field(default_factory=set)
    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    left_out: Tally = field(default_factory=Tally)


class Listing:
    """Reads the folders of a tree, each of them once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._contents: dict[Path, Contents] = {}

    def look(self, folder: Path) -> Contents:
        """The contents of one folder; system folders, and links to a folder around them, are not entered.

        Raises: DataError for a folder or an image whose name is not UTF-8; OSError where the folder may not be read.
        """
        if folder not in self._contents:
            self._contents[folder] = self._read(folder)
        return self._contents[folder]

    def images_below(self, top: Path) -> tuple[list[Path], Tally]:
        """The images in a folder and all folders below it, in the order of their paths, and the files left out.

        A folder is read once, however many links lead to it: under its own path where it has one below `top`.

        Raises: as `look`.
        """
        images: list[Path] = []
        left_out = Tally()
        read: set[str] = set()
        tops = deque([top])
        while tops:
            path = tops.popleft()
            inside = [(path, self.tree.real(path))]
            if inside[0][1] in read:
                left_out.add("through a second link to a folder that is read", path)
            while inside:
                path, real = inside.pop()
                if real in read:
                    continue
                read.add(real)
                contents = self.look(path)
                images += contents.images
                left_out.update(contents.left_out)
                tops += [folder for folder in contents.folders if folder in contents.links]
                inside += [
                    (folder, str(PurePath(real, folder.name)))
                    for folder in contents.folders
                    if folder not in contents.links
                ]
        return sorted(images), left_out

    def files(self, folder: Path) -> Iterator[Path]:
        """All files in a folder and below except system files, images first in each; links are not followed."""
        waiting = [folder]
        while waiting:
            contents = self.look(waiting.pop())
            yield from contents.images
            yield from contents.others
            waiting += [path for path in reversed(contents.folders) if path not in contents.links]

    def _read(self, folder: Path) -> Contents:
        contents = Contents()
        for name, is_folder, is_link in self.tree.entries(folder):
            path = folder / name
            if system := _of_system(name):
                inside = self._all_files(path) if is_folder and not is_link else [path]
                for file in inside:
                    contents.left_out.add(f"of the system: {system}", file)
            elif is_link and is_folder and self._leads_up(path):
                contents.left_out.add("through a link to a folder around it", path)
            elif is_folder:
                contents.folders.append(in_utf8(path))
                if is_link:
                    contents.links.add(path)
            elif is_image(name):
                contents.images.append(in_utf8(path))
            else:
                contents.others.append(path)
                ending = printable(PurePath(name.lower()).suffix)
                contents.left_out.add(f"with ending {ending}" if ending else "with no ending", path)
        return contents

    def _all_files(self, folder: Path) -> Iterator[Path]:
        """All files below a system folder, as far as it can be read."""
        waiting = [(folder, True)]
        while waiting:
            path, is_folder = waiting.pop()
            if not is_folder:
                yield path
                continue
            with suppress(OSError):
                entries = reversed(self.tree.entries(path))
                waiting += [(path / entry.name, entry.is_folder and not entry.is_link) for entry in entries]

    def _leads_up(self, link: Path) -> bool:
        """Whether a link leads to a folder around it, directly or through other links."""
        target = Path(self.tree.real(link))
        return any(Path(self.tree.real(above)).is_relative_to(target) for above in link.parents)


def images_in(folder: Path) -> list[Path]:
    """The images in a folder itself, by name.

    Raises: DataError where the name of one is not UTF-8, or the folder may not be read.
    """
    try:
        return Listing(Disk()).look(folder).images
    except OSError as error:
        raise unreadable(folder, error) from None


def images_among(names: Iterable[str]) -> set[PurePath]:
    """The names of files that are images outside system folders."""
    return set(Listing(Names(Path(), names)).images_below(Path())[0])


def unreadable(path: Path | str, error: OSError) -> DataError:
    """The error for a file or folder that the system does not let us read."""
    return DataError(refusal(error, path, verb="read"))


def in_utf8(path: Path) -> Path:
    """The path, if it can be written as UTF-8. Raises: DataError where it cannot."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise DataError(f"The name of {printable(path)} is not UTF-8, as in old zips; rename it.") from None
    return path


def _of_system(name: str) -> str:
    """The entry of the list that makes this a system file; empty where none does."""
    return "names with a dot in front" if name.startswith(".") else _SYSTEM_NAMES.get(name.lower(), "")
