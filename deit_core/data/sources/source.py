"""Images with their labels, wherever they come from, and a hash of all of them.

Knows arrays and images that stay in files; nothing of readers, splits, sizes or augmentation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deit_core.catalog import SourceName
from deit_core.data.sources.folder_images import FolderImages
from deit_core.data.sources.jpeg import Picture
from deit_core.data.sources.progress import OnProgress, no_progress


@dataclass(frozen=True, eq=False)
class Source:
    """Images are uint8 (N, channels, height, width), labels int64 (N,).

    hash_content: computes a SHA-256 of all four; for a folder it may read every file.
    val_positions: the training images that are its own validation split; None if it has none.
    skipped: names of the files that are left out because they cannot be read.
    listed: sentences on a folder, from the names of its files alone.
    test_masks: (N, height, width), where the object of each test image is; None where that is not known.
    twins: (N,) how many training images before this one show the same thing; None where each shows another.
    in_epoch: gives the training images of an epoch, without those of validation, where each epoch has its own; those of
        epoch 0 come first in `train_images`. None where an image stays as it is.
    warn: returns sentences for the user, given the positions of training and of validation images.
    """

    name: SourceName
    classes: tuple[str, ...]
    train_images: NDArray[np.uint8] | FolderImages
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8] | FolderImages
    test_labels: NDArray[np.int64]
    hash_content: Callable[[OnProgress], str]
    val_positions: NDArray[np.int64] | None = None
    skipped: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    warn: Callable[[NDArray[np.int64], NDArray[np.int64], OnProgress], tuple[str, ...]] = (
        lambda _train, _val, _on_progress: ()
    )
    test_masks: NDArray[np.bool_] | None = None
    twins: NDArray[np.int64] | None = None
    in_epoch: Callable[[int], NDArray[np.uint8]] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user on the source."""
        return *self.listed, *self.skipped_sentences

    @property
    def skipped_sentences(self) -> tuple[str, ...]:
        if not self.skipped:
            return ()
        more = f" and {len(self.skipped) - 5:,} more" if len(self.skipped) > 5 else ""
        return (f"Skipped, because they cannot be read: {', '.join(self.skipped[:5])}{more}.",)

    @property
    def content_hash(self) -> str:
        return self.hash_content(no_progress)


def find_examples(source: Source, label: int) -> list[int]:
    """Positions of the test images of one class, in the data set's order."""
    positions: list[int] = np.flatnonzero(source.test_labels == label).tolist()
    return positions


def source_content(source: Source, position: int) -> bytes | None:
    """The file of one test image; None where the data set has no file for each."""
    images = source.test_images
    return images.files[position].read_bytes() if isinstance(images, FolderImages) else None


def source_picture(source: Source, position: int) -> Picture:
    """One test image as a picture (H, W, 3), at its size in the data set."""
    image = source.test_images[position]  # (C, H, W)
    return np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0))
