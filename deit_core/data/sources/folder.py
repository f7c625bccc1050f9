"""A folder of images as a source: its train, validation and test images, and a hash of its contents.

Knows files; nothing of fractions or memory. Each image is handled like an upload (deit_core.data.sources.decoding):
upright, the square in its middle, resized. A result that needs every file is computed once for files with these sizes
and times.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deit_core.catalog.pixel_versions import NEWEST_PIXELS, PixelVersion
from deit_core.data.sources.contents import find_contents, warnings_of
from deit_core.data.sources.decoding import decode_image
from deit_core.data.sources.findings import found_once
from deit_core.data.sources.folder_images import FolderImages, map_ahead
from deit_core.data.sources.named import load_source
from deit_core.data.sources.progress import OnProgress, no_progress, with_progress
from deit_core.data.sources.scattered_digits import scattered_digits
from deit_core.data.sources.source import Source
from deit_core.data.sources.stratified import stratified_split
from deit_core.errors import DataError
from deit_core.image_folders import FORMATS, FolderPart, ImageFolder, find_folder, list_folder, num_held_out, unreadable
from deit_core.spec import DataSpec


def open_source(
    spec: DataSpec,
    data_dir: Path,
    on_progress: OnProgress = no_progress,
    version: PixelVersion = NEWEST_PIXELS,
) -> Source:
    """The source that a spec names. A folder's images are read when they are needed, others now.

    Args:
        on_progress: called with the progress, where every image of a folder is tried.
        version: of the pixels that a folder's files become.
    Raises: DataError where it cannot be loaded, or has too few images.
    """
    if spec.source == "scattered-digits":
        return scattered_digits(spec)
    if spec.source != "folder":
        return load_source(spec.source, data_dir)
    folder = list_folder(find_folder(spec.path, data_dir))
    parts: list[FolderPart | None] = [folder.train, folder.val, folder.test]
    skipped: tuple[Path, ...] = ()
    if spec.corrupt_images == "skip":
        parts, skipped = _without_corrupt(folder, parts, data_dir, on_progress)
    train, val, test = parts
    assert train is not None
    if val is not None and test is not None:
        held = np.arange(len(train), len(train) + len(val))
        train = FolderPart(train.files + val.files, train.labels + val.labels)
    else:
        held = None
    if test is None:
        train, test = _hold_out(train, folder)
    in_chans = 3 if spec.colour else 1
    return Source(
        "folder",
        folder.classes,
        FolderImages(train.files, spec.img_size, in_chans, version),
        np.array(train.labels, np.int64),
        FolderImages(test.files, spec.img_size, in_chans, version),
        np.array(test.labels, np.int64),
        partial(_content_hash, folder.root, (*train.files, *test.files), in_chans, data_dir),
        held,
        tuple(str(file.relative_to(folder.root)) for file in skipped),
        folder.notes,
        partial(_warnings, folder.root, train.files, test.files, data_dir),
    )


def _hold_out(part: FolderPart, folder: ImageFolder) -> tuple[FolderPart, FolderPart]:
    """Hold out test images, the same share of each class and always the same ones, as for the digits."""
    labels = np.array(part.labels)
    num_test = num_held_out(len(part), len(folder.classes))
    try:
        kept, held = stratified_split(labels, num_test, seed=0, held_for="the test")
    except ValueError as error:
        raise DataError(
            f"{folder.root} has too few images to hold out test images ({error}); add images, or a test folder."
        ) from None
    return _pick(part, np.sort(kept).tolist()), _pick(part, np.sort(held).tolist())


def _pick(part: FolderPart, positions: Sequence[int]) -> FolderPart:
    return FolderPart(tuple(part.files[i] for i in positions), tuple(part.labels[i] for i in positions))


def _without_corrupt(
    folder: ImageFolder, parts: Sequence[FolderPart | None], data_dir: Path, on_progress: OnProgress
) -> tuple[list[FolderPart | None], tuple[Path, ...]]:
    """The parts without the files that cannot be read, and those files; reads every file."""
    files = [file for part in parts if part is not None for file in part.files]

    def find() -> list[int]:
        tried = with_progress(
            map_ahead(_is_sound, files, ahead=256), "Checking that each image can be read", len(files), on_progress
        )
        return [position for position, sound in enumerate(tried) if not sound]

    skipped = {
        files[position] for position in found_once(f"corrupt {' '.join(FORMATS)}", folder.root, files, data_dir, find)
    }
    kept = [part and _pick(part, [i for i, file in enumerate(part.files) if file not in skipped]) for part in parts]
    train = kept[0]
    if train is None or len(set(train.labels)) < len(folder.classes):
        raise DataError(f"No image of one of the classes in {folder.root} can be read; replace the damaged files.")
    if any(part is not None and len(part) == 0 for part in kept):
        raise DataError(f"No image of val or test in {folder.root} can be read; replace the damaged files.")
    return kept, tuple(file for file in files if file in skipped)


def _is_sound(file: Path) -> bool:
    """Whether a file can be decoded to its end."""
    try:
        decode_image(file.read_bytes())
    except (DataError, OSError):
        return False
    return True


def _content_hash(root: Path, files: Sequence[Path], in_chans: int, data_dir: Path, on_progress: OnProgress) -> str:
    """A SHA-256 of the files' names in the folder, their bytes, and all else that decides their pixels.

    That is whether they are read in colour, and which ranges of grey other than 16 bits there are. Old versions read
    only 16 bits correctly, so images of other ranges have other pixels now.
    """

    def find() -> str:
        digest = hashlib.sha256(f"{in_chans}".encode())
        for file in with_progress(
            files, "Reading each file once, to recognise the data later", len(files), on_progress
        ):
            try:
                content = file.read_bytes()
            except OSError as error:
                raise unreadable(file, error) from None
            digest.update(f"\0{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()

    known = str(found_once(f"hash {in_chans}", root, files, data_dir, find))
    others = sorted(find_contents(root, files, data_dir, on_progress).deep.keys() - {"16 bits"})
    return hashlib.sha256(f"{known} {others}".encode()).hexdigest() if others else known


def _warnings(
    root: Path,
    train: Sequence[Path],
    test: Sequence[Path],
    data_dir: Path,
    train_indices: NDArray[np.int64],
    val_indices: NDArray[np.int64],
    on_progress: OnProgress,
) -> tuple[str, ...]:
    """Sentences on the splits of a run, of which two are drawn from `train`."""
    parts = {
        "training": [train[index] for index in train_indices],
        "validation": [train[index] for index in val_indices],
        "test": test,
    }
    return warnings_of(root, parts, find_contents(root, (*train, *test), data_dir, on_progress))
