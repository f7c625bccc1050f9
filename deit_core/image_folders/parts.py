"""Which folders in a folder of images are parts (train, val, test), and which are classes.

Knows folders, and files by their names. listing.py finds images, image_folder.py refuses folders.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deit_core.errors import DataError
from deit_core.image_folders.left_out import Tally
from deit_core.image_folders.listing import Listing

PART_NAMES = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
PART_FORMS = ("{}", "{} set", "{} data", "{} images", "seg {}")  # in any case; the space may be - or _, or missing
DOCUMENT_ENDINGS = (".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".yaml", ".yml", ".html")

_PARTS = {
    form.format(name).replace(" ", ""): part
    for part, names in PART_NAMES.items()
    for name in names
    for form in PART_FORMS
}
_UNSPACED = str.maketrans("", "", " -_")


@dataclass
class Layout:
    """Where the images of each class are.

    root: the data folder, inside the folders that contain nothing else.
    parts: by train, val or test, the folder of each; without parts `root` is train.
    classes: by part and by the name of the class, the folders that hold it.
    left_out: files next to the classes, not in them.
    """

    root: Path
    parts: dict[str, Path]
    classes: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    left_out: Tally = field(default_factory=Tally)
    warnings: list[str] = field(default_factory=list)


def find_layout(root: Path, listing: Listing) -> Layout:
    """Find the folders, by their names and contents.

    Raises: DataError where there is a val or test, and no train; or where a name is not UTF-8.
    """
    return _Finder(listing).find(root)


class _Finder:
    def __init__(self, listing: Listing) -> None:
        self._listing, self._look = listing, listing.look
        self._left_out = Tally()
        self._warnings: list[str] = []

    def find(self, root: Path) -> Layout:
        root = self._enter(root, self._only_around)
        parts = self._parts(root)
        if parts:
            self._leave_out(root, kept=[*parts.values()])
        parts = {part: self._enter(path, self._same_part) for part, path in parts.items()}
        parts = parts or {"train": root}
        by_key = {part: self._classes(path) for part, path in parts.items()}
        titles = _titles(by_key.values())
        classes = {part: {titles[key]: paths for key, paths in keys.items()} for part, keys in by_key.items()}
        return Layout(root, parts, classes, self._left_out, self._warnings)

    def _enter(self, folder: Path, next_inside: Callable[[Path], Path | None]) -> Path:
        while inside := next_inside(folder):
            self._leave_out(folder, kept=[inside])
            folder = inside
        return folder

    def _only_around(self, folder: Path) -> Path | None:
        """The data folder inside folders that contain nothing else, as in archives. A part next to a file stays.

        This keeps old hashes: a file's name in the data folder is part of a data set's hash.
        """
        visible = [name for name in self._listing.tree.names(folder) if not name.startswith((".", "__MACOSX"))]
        inside = self._single(folder)
        if inside is None or not self._folders(inside) or (len(visible) > 1 and _part_of(inside)):
            return None
        return inside

    def _same_part(self, folder: Path) -> Path | None:
        """The folder in a part that has the name of the part."""
        inside = self._single(folder)
        return inside if inside and _part_of(inside) == _part_of(folder) else None

    def _single(self, folder: Path) -> Path | None:
        """The only folder in a folder, if there are no images next to it."""
        folders = self._folders(folder)
        return folders[0] if len(folders) == 1 and not self._look(folder).images else None

    def _parts(self, root: Path) -> dict[str, Path]:
        """The parts in a folder; none where a folder such as train is one of several classes, as in vehicles."""
        folders = self._folders(root)
        named = [path for path in folders if _part_of(path)]
        hold_folders = any(self._look(path).folders for path in named)
        if len(named) < len(folders) and not hold_folders:
            return {}
        parts: dict[str, Path] = {}
        for path in sorted(named, key=lambda path: path.name.lower() not in PART_NAMES[str(_part_of(path))]):
            parts.setdefault(str(_part_of(path)), path)
        if "train" in parts:
            return {part: parts[part] for part in PART_NAMES if part in parts}
        if hold_folders and len(named) == len(folders):
            raise DataError(
                f"There is no folder train next to {_and([path.name for path in named])} in {root}; call the folder "
                "with the training images train, or move the classes into one folder."
            )
        return {}

    def _classes(self, root: Path) -> dict[str, list[Path]]:
        """The folders of each class, by its name in one of Unicode's forms: é is one letter, or e and an accent."""
        folders = self._folders(root)
        self._leave_out(root, kept=folders)
        self._warnings += [
            f"{path.name} contains no image, so it is not a class."
            for path in self._look(root).folders
            if path not in folders
        ]
        inside = [{path.name for path in self._look(folder).folders} for folder in folders]
        if len(inside) > 1 and len(inside[0]) > 1 and all(names == inside[0] for names in inside):
            self._warnings.append(
                f"Each of the classes {_and(sorted(path.name for path in folders))} contains the folders "
                f"{_and(sorted(inside[0]))}; if those are the classes, call the folders around them train and test."
            )
        classes: dict[str, list[Path]] = {}
        for path in folders:
            classes.setdefault(unicodedata.normalize("NFC", path.name), []).append(path)
        return classes

    def _folders(self, root: Path) -> list[Path]:
        """The folders in a folder, except those with only documents, such as labels or a licence."""
        return [path for path in self._look(root).folders if not self._is_aside(path)]

    def _is_aside(self, folder: Path) -> bool:
        files = self._listing.files(folder)
        first = next(files, None)
        holds_documents = first is not None and is_document(first) and all(map(is_document, files))
        return holds_documents and not self._listing.images_below(folder)[0]  # behind links

    def _leave_out(self, folder: Path, kept: Sequence[Path]) -> None:
        """Count the other contents of a folder, next to the folders that are kept."""
        contents = self._look(folder)
        self._left_out.update(contents.left_out)
        for path in contents.images:
            self._left_out.add("in no folder of a class", path)
        for other in contents.folders:
            if other not in kept:
                images, left_out = self._listing.images_below(other)
                self._left_out.update(left_out)
                for path in images:
                    self._left_out.add(f"in {other.name}, next to train, val and test", path)


def is_document(file: Path) -> bool:
    """Whether a file is a document that people keep next to images: labels, a licence."""
    return file.name.lower().endswith(DOCUMENT_ENDINGS)


def _part_of(folder: Path) -> str | None:
    return _PARTS.get(folder.name.lower().translate(_UNSPACED))


def _titles(parts: Iterable[dict[str, list[Path]]]) -> dict[str, str]:
    """The name of each class: that of its folders, in composed form where they differ in that."""
    spellings: dict[str, set[str]] = {}
    for classes in parts:
        for key, paths in classes.items():
            spellings.setdefault(key, set()).update(path.name for path in paths)
    return {key: next(iter(names)) if len(names) == 1 else key for key, names in spellings.items()}


def _and(names: Sequence[str]) -> str:
    """Some names in a sentence."""
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:2])}, ..."
