"""A folder of images as a source: files are read when they are asked for, cut to the size and colours of a spec.

Knows files and pixels; nothing of splits. Each image takes the path of an upload (deit_core.data.inputs): upright, the
square in its middle, resized.

    N images, C channels, S img_size
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deit_core.data.inputs import decode_image, fit_image
from deit_core.data.sources import Source, load_source
from deit_core.data.stratified import stratified_split
from deit_core.errors import DataError
from deit_core.folders import ImageFolder, Part, find_folder, list_folder
from deit_core.spec import DataSpec
from deit_core.threads import num_cores


class FolderImages:
    """Stands for uint8 images (N, C, S, S); by indexing, as an array would, files are read, on all cores."""

    def __init__(self, files: Sequence[Path], img_size: int, in_chans: int) -> None:
        self._files, self._img_size, self._in_chans = tuple(files), img_size, in_chans

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, positions: Any) -> NDArray[np.uint8]:
        """Raises: DataError with the name of a file that cannot be read."""
        chosen = np.arange(len(self))[positions]
        if chosen.ndim == 0:
            return self._read(int(chosen))
        images = np.empty((len(chosen), self._in_chans, self._img_size, self._img_size), np.uint8)
        with ThreadPoolExecutor(num_cores()) as readers:
            for row, image in enumerate(readers.map(self._read, chosen.tolist())):
                images[row] = image
        return images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        return self[:]

    def _read(self, position: int) -> NDArray[np.uint8]:
        file = self._files[position]
        try:
            return fit_image(decode_image(file.read_bytes()), img_size=self._img_size, in_chans=self._in_chans)
        except (DataError, OSError):
            raise DataError(
                f"{file} is damaged or no image that can be read; replace or remove it, or set data.corrupt_images "
                "to skip."
            ) from None


def open_source(spec: DataSpec, data_dir: Path) -> Source:
    """The source that a spec names. A folder's images are read when they are asked for, others now.

    Raises: DataError where it cannot be had, or holds too little to learn from.
    """
    if spec.source != "folder":
        return load_source(spec.source, data_dir)
    folder = list_folder(find_folder(spec.path, data_dir))
    parts: list[Part | None] = [folder.train, folder.val, folder.test]
    skipped: tuple[Path, ...] = ()
    if spec.corrupt_images == "skip":
        parts, skipped = _without_corrupt(folder, parts)
    train, val, test = parts
    assert train is not None
    if val is not None and test is not None:
        held = np.arange(len(train), len(train) + len(val))
        train = Part(train.files + val.files, train.labels + val.labels)
    else:
        held = None
    if test is None:
        train, test = _hold_out(train, folder)
    in_chans = 3 if spec.colour else 1
    return Source(
        "folder",
        folder.classes,
        FolderImages(train.files, spec.img_size, in_chans),
        np.array(train.labels, np.int64),
        FolderImages(test.files, spec.img_size, in_chans),
        np.array(test.labels, np.int64),
        _content_hash(folder.root, (*train.files, *test.files), in_chans),
        held,
        tuple(str(file.relative_to(folder.root)) for file in skipped),
    )


def _hold_out(part: Part, folder: ImageFolder) -> tuple[Part, Part]:
    """Cut a test off, the same share of each class and always the same, as of the digits."""
    labels = np.array(part.labels)
    num_test = ImageFolder(folder.root, folder.classes, part, None, None).num_test
    try:
        kept, held = stratified_split(labels, num_test, seed=0)
    except ValueError as error:
        raise DataError(
            f"{folder.root} holds too few images to hold out a test ({error}); add images, or a test folder."
        ) from None
    return _pick(part, np.sort(kept).tolist()), _pick(part, np.sort(held).tolist())


def _pick(part: Part, positions: Sequence[int]) -> Part:
    return Part(tuple(part.files[i] for i in positions), tuple(part.labels[i] for i in positions))


def _without_corrupt(folder: ImageFolder, parts: Sequence[Part | None]) -> tuple[list[Part | None], tuple[Path, ...]]:
    """The parts without the files that cannot be read, and those files; every file is read for it."""
    kept: list[Part | None] = []
    skipped: list[Path] = []
    for part in parts:
        if part is None:
            kept.append(None)
            continue
        stamps = [(file, *_stamp(file)) for file in part.files]
        with ThreadPoolExecutor(num_cores()) as readers:
            sound = list(readers.map(lambda stamp: _is_sound(*stamp), stamps))
        skipped += [file for file, is_sound in zip(part.files, sound, strict=True) if not is_sound]
        kept.append(_pick(part, [position for position, is_sound in enumerate(sound) if is_sound]))
    train = kept[0]
    if train is None or len(set(train.labels)) < len(folder.classes):
        raise DataError(f"No image of one of the classes in {folder.root} can be read; replace the damaged files.")
    return kept, tuple(skipped)


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=200_000)
def _is_sound(file: Path, size_bytes: int, changed_ns: int) -> bool:
    """Whether a file of that size and time can be decoded to its end."""
    try:
        decode_image(file.read_bytes())
    except (DataError, OSError):
        return False
    return True


def _content_hash(root: Path, files: Sequence[Path], in_chans: int) -> str:
    """A SHA-256 of the files' names in the folder, their bytes, and of whether they are read in colour."""
    digest = hashlib.sha256(f"{in_chans}".encode())
    for file in files:
        content = file.read_bytes()
        digest.update(f"\0{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
