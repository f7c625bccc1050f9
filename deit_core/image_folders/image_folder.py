"""A folder of images as a data set: its classes and files, from the names alone.

Reads no pixels and loads nothing, so that a form can use it. See listing.py for images, parts.py for parts and classes.
deit_core.data decides which images are held out where a folder has no validation or test part.

    K classes
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deit_core.errors import DataError
from deit_core.image_folders.image_formats import ONE_FORMAT
from deit_core.image_folders.left_out import LeftOut, Tally, sentence
from deit_core.image_folders.listing import Listing, unreadable
from deit_core.image_folders.parts import find_layout, is_document
from deit_core.image_folders.trees import Disk, Names

_TEST_SHARE = 0.2


@dataclass(frozen=True)
class FolderPart:
    """Files in the order of their classes and names, and the class number of each."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class ImageFolder:
    """The contents of a folder.

    parts: the existing parts, by name (train, val, test); a folder without parts is all train.
    left_out: the files that are not read.
    warnings: sentences on what may be a mistake.
    """

    root: Path
    classes: tuple[str, ...]
    parts: Mapping[str, FolderPart]
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def train(self) -> FolderPart:
        return self.parts["train"]

    @property
    def val(self) -> FolderPart | None:
        """The validation part; with `val` and no `test`, as in ImageNet, `val` is the test."""
        return self.parts.get("val") if "test" in self.parts else None

    @property
    def test(self) -> FolderPart | None:
        return self.parts.get("test", self.parts.get("val"))

    @property
    def num_test(self) -> int:
        """Number of test images; without a test part, of those that are held out."""
        return len(self.test) if self.test else num_held_out(len(self.train), len(self.classes))

    @property
    def num_train(self) -> int:
        """Number of images for training and, without a part for it, validation."""
        return len(self.train) if self.test else len(self.train) - self.num_test

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user on the folder."""
        return tuple(filter(None, (sentence(self.left_out), *self.warnings)))

    def counts(self) -> dict[str, dict[str, int]]:
        """The number of images of each class in each part."""
        counted = {name: Counter(part.labels) for name, part in self.parts.items()}
        return {
            name: {title: numbers[label] for label, title in enumerate(self.classes)}
            for name, numbers in counted.items()
        }


def num_held_out(num_images: int, num_classes: int) -> int:
    """A fifth, and at least as many images as classes; a class with very few images may have none in it."""
    return max(num_classes, math.ceil(_TEST_SHARE * num_images))


def find_folder(path: str, data_dir: Path) -> Path:
    """The folder of a spec's path: in the data folder unless it is absolute; `~` is the home folder.

    Raises: DataError where it begins with `~` and the name of no user.
    """
    try:
        return data_dir / Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0]
        raise DataError(
            f"There is no home folder {user}; start the path with ~/ for your own, or write the full path."
        ) from None


def list_folder(root: Path) -> ImageFolder:
    """List the images of a folder that holds one folder per class, or parts (train, val, test) that do.

    A folder that contains only the data folder, as in many archives, is skipped; so is one in a part with the name of
    that part.

    Raises: DataError where there is no such folder, no image, fewer than two classes, a class without images that are
        read, a `val` or `test` without images in folders of its classes, or with a class that `train` lacks, no
        `train` next to them, a name that is not UTF-8, or what may not be read.
    """
    try:
        if not root.is_dir():
            raise DataError(
                f"There is no folder {root}; set data.path to a folder of images, or upload a zip on the Data page."
            )
        return _read(root, Listing(Disk()))
    except OSError as error:
        raise unreadable(root, error) from None


def list_names(names: Iterable[str], root: Path) -> ImageFolder:
    """The same for names of files that are not in a folder yet; messages call it `root`.

    Raises: DataError as `list_folder` does.
    """
    return _read(root, Listing(Names(root, names)))


def _read(root: Path, listing: Listing) -> ImageFolder:
    layout = find_layout(root, listing)
    titles = tuple(layout.classes["train"])
    parts: dict[str, FolderPart] = {}
    for part, folder in layout.parts.items():
        images: dict[str, list[Path]] = {}
        problems: dict[str, str] = {}  # class -> message on its folder, which has no image
        for title, paths in layout.classes[part].items():
            images[title], left_out = _images(paths, listing)
            layout.left_out.update(left_out)
            if not images[title] and (part == "train" or _should_hold_images(paths, listing)):
                problems[title] = _sentence(
                    f"{paths[0]} contains no {ONE_FORMAT} file; add images or remove it.", left_out.listed(root)
                )
        check = _check_train if part == "train" else _check_evaluation
        check(folder, titles, images, layout.left_out.listed(root))
        if problems:
            raise DataError(next(iter(problems.values())))
        files = [(file, label) for label, title in enumerate(titles) for file in images.get(title, ())]
        parts[part] = FolderPart(tuple(file for file, _ in files), tuple(label for _, label in files))
    return ImageFolder(layout.root, titles, parts, layout.left_out.listed(root), tuple(layout.warnings))


def _images(folders: Sequence[Path], listing: Listing) -> tuple[list[Path], Tally]:
    images: list[Path] = []
    left_out = Tally()
    for folder in folders:
        own, passed_over = listing.images_below(folder)
        images += own
        left_out.update(passed_over)
    return images, left_out


def _should_hold_images(folders: Sequence[Path], listing: Listing) -> bool:
    """Whether there are files that may be meant as images; in val and test an empty class is not a class."""
    return any(not is_document(file) for folder in folders for file in listing.files(folder))


def _check_train(
    folder: Path, titles: Sequence[str], images: Mapping[str, Sequence[Path]], left_out: Sequence[LeftOut]
) -> None:
    if not any(images.values()):
        raise DataError(
            _sentence(
                f"There is no image in {folder}; it should contain one folder per class with {ONE_FORMAT} files.",
                left_out,
            )
        )
    if len(titles) < 2:
        raise DataError(
            _sentence(
                f"There is only one class in {folder}, {titles[0]!r}, and a model needs at least two; put each "
                "class into its own folder.",
                left_out,
            )
        )


def _check_evaluation(
    folder: Path, titles: Sequence[str], images: Mapping[str, Sequence[Path]], left_out: Sequence[LeftOut]
) -> None:
    """A part for evaluation: some classes may be missing in it, but not all."""
    if strange := [title for title in images if title not in titles]:
        raise DataError(f"{folder} has a class {strange[0]!r} that is not in training; rename it or remove it.")
    if not any(images.values()):
        raise DataError(
            _sentence(
                f"There is no image in the classes of {folder}; it should contain one folder per class, as training "
                f"does, with {ONE_FORMAT} files in it. Sort its files like this, or remove the folder: then images "
                "are held out of the training images.",
                left_out,
            )
        )


def _sentence(problem: str, left_out: Sequence[LeftOut]) -> str:
    return " ".join(filter(None, (problem, sentence(left_out))))
