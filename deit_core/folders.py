"""A folder of images as a data set: its classes and files, from the names alone.

Reads no pixels and loads nothing, so that a form can ask. Which images are held back where a folder has no parts of its
own for that is decided in deit_core.data.

    K classes
"""

import math
import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from deit_core.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
_PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_HIDDEN = (".", "__MACOSX")
_TEST_SHARE = 0.2


@dataclass(frozen=True)
class Part:
    """Files in the order of their classes and names, and the number of the class of each."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class ImageFolder:
    """What lies in a folder; `val` and `test` are None where it has no such part."""

    root: Path
    classes: tuple[str, ...]
    train: Part
    val: Part | None
    test: Part | None

    @property
    def num_test(self) -> int:
        """Without a test a fifth is held out, no fewer images than classes; a class of very few may have none there."""
        return len(self.test) if self.test else max(len(self.classes), math.ceil(_TEST_SHARE * len(self.train)))

    @property
    def num_train(self) -> int:
        """Images for training and, where there is no part for it, validation."""
        return len(self.train) if self.test else len(self.train) - self.num_test


def find_folder(path: str, data_dir: Path) -> Path:
    """Where the path of a spec lies: in the data folder unless it is absolute; `~` is the home.

    Raises: DataError where it begins with `~` and a name that is no user's.
    """
    try:
        return data_dir / Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0]
        raise DataError(
            f"There is no home folder {user}; begin data.path with ~/ for your own, or write it in full."
        ) from None


def unreadable(path: Path | str, error: OSError) -> DataError:
    """What to say of a file or folder that the system does not let us read."""
    where = error.filename or path
    if isinstance(error, FileNotFoundError):
        return DataError(
            f"{where} is not there any more, or is a link to nothing; restore it, or remove the link, and start or "
            "resume the run."
        )
    if isinstance(error, PermissionError):
        return DataError(f"{where} may not be read by the user who runs this; give it permission, say by chmod a+rX.")
    return DataError(f"{where} cannot be read ({error.strerror}); mend that and try again.")


def list_folder(root: Path) -> ImageFolder:
    """List the images of a folder that holds a folder a class, or parts (train, val, test) that do.

    A folder around the one that counts, as archives have it, is passed through. With `val` and no `test`, as ImageNet
    is unpacked, `val` is the test, and a validation split is cut from `train` as for any data set.

    Raises: DataError where there is no such folder, no image, fewer than two classes, an empty class, a `val` or `test`
        without images in folders of its classes, or with a class that `train` lacks, a name that is not UTF-8, or what
        may not be read.
    """
    try:
        return _list_folder(root)
    except OSError as error:
        raise unreadable(root, error) from None


def _list_folder(root: Path) -> ImageFolder:
    if not root.is_dir():
        raise DataError(
            f"There is no folder {root}; set data.path to a folder of images, or upload a zip on the Data page."
        )
    root = _inner(root)
    parts = _parts(root)
    train_root = parts["train"] or root
    classes = tuple(folder.name for folder in _subfolders(train_root))
    train = _list_part(train_root, classes)
    if len(train) == 0:
        raise DataError(
            f"There is no image in {train_root}; it should hold a folder a class with PNG, JPEG or WebP files in it."
        )
    if len(classes) < 2:
        raise DataError(
            f"There is only one class in {train_root}, {classes[0]!r}, and a model needs two to tell apart; put each "
            "class into a folder of its own."
        )
    filled = set(train.labels)
    if empty := [name for label, name in enumerate(classes) if label not in filled]:
        raise DataError(f"{train_root / empty[0]} holds no PNG, JPEG or WebP file; fill it or remove it.")
    if parts["train"] is None:
        return ImageFolder(root, classes, train, None, None)
    val, test = (_list_judged(parts[part], classes) for part in ("val", "test"))
    return ImageFolder(root, classes, train, val, test) if test else ImageFolder(root, classes, train, None, val)


def _inner(root: Path) -> Path:
    while len(inside := _visible(root)) == 1 and inside[0].is_dir() and _subfolders(inside[0]):
        root = inside[0]
    return root


def _parts(root: Path) -> dict[str, Path | None]:
    folders = _subfolders(root)
    parts = {
        part: next((path for path in folders if path.name.lower() in names), None) for part, names in _PARTS.items()
    }
    others = [path for path in folders if path.name.lower() not in chain(*_PARTS.values())]
    if others and not any(part and _subfolders(part) for part in parts.values()):
        parts["train"] = None  # a class beside others: of trains
    return parts


def _visible(root: Path) -> list[Path]:
    """What is in a folder by name, without what only a file manager put there."""
    return sorted(path for path in root.iterdir() if not path.name.startswith(_HIDDEN))


def _subfolders(root: Path) -> list[Path]:
    return [_named(path) for path in _visible(root) if path.is_dir()]


def _named(path: Path) -> Path:
    """The path, where it can be written down as UTF-8."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"The name of {os.fsencode(path).decode(errors='replace')} is not UTF-8, as in old zips; rename it."
        ) from None
    return path


def _list_judged(root: Path | None, classes: tuple[str, ...]) -> Part | None:
    """A part that models are judged by; a class may be missing there, but not all."""
    if root is None:
        return None
    part = _list_part(root, classes)
    if len(part) == 0:
        raise DataError(
            f"There is no image in the classes of {root}; it should hold a folder a class, as training does, with PNG, "
            "JPEG or WebP files in it. Sort them so, or remove it, and images are held out of the training images."
        )
    return part


def _list_part(root: Path, classes: tuple[str, ...]) -> Part:
    if strange := [folder.name for folder in _subfolders(root) if folder.name not in classes]:
        raise DataError(f"{root} has a class {strange[0]!r} that is not in training; rename it or remove it.")
    files: list[Path] = []
    labels: list[int] = []
    there = {path.name for path in _visible(root)}
    for label, name in enumerate(classes):
        found = _images(root / name) if name in there else []
        files += found
        labels += [label] * len(found)
    return Part(tuple(files), tuple(labels))


def _images(root: Path) -> list[Path]:
    images: list[Path] = []
    for folder, inside, names in os.walk(root, onerror=_raise):
        inside[:] = [name for name in inside if not name.startswith(_HIDDEN)]  # os.walk enters only these
        images += [
            _named(Path(folder) / name)
            for name in names
            if name.lower().endswith(ENDINGS) and not name.startswith(_HIDDEN)
        ]
    return sorted(images)


def _raise(error: OSError) -> None:
    raise error
