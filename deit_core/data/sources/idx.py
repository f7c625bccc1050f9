"""The MNIST family on disk: four files in the IDX format, each plain or gzipped. Knows files; no downloads."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deit_core.errors import DataError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def holds_files(folder: Path) -> bool:
    """Whether all four files are there."""
    return all(_existing(folder / name) for name in FILES)


def read_files(
    folder: Path, how_to_renew: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Training images (N, 1, height, width), their labels (N,), and the same of the test.

    Args: how_to_renew: the advice for damaged files, the end of a sentence.
    Raises: DataError where a file is damaged, or the numbers of images and labels differ.
    """
    train_images, train_labels, test_images, test_labels = (
        _read(_existing(folder / name) or folder / name, how_to_renew) for name in FILES
    )
    for images, labels, name in ((train_images, train_labels, FILES[0]), (test_images, test_labels, FILES[2])):
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise DataError(
                f"{folder / name} contains an array of shape {images.shape} and the file of its labels one of "
                f"{labels.shape}; {how_to_renew}."
            )
    return train_images[:, None], train_labels, test_images[:, None], test_labels


def _existing(path: Path) -> Path | None:
    zipped = path.with_name(path.name + ".gz")
    return zipped if zipped.exists() else path if path.exists() else None


def _read(path: Path, how_to_renew: str) -> NDArray[np.uint8]:
    """Read an array of bytes in the IDX format: two zero bytes, type 8, the number of axes, their lengths, the data."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        magic, num_axes = struct.unpack_from(">HxB", content)
        shape = struct.unpack_from(f">{num_axes}I", content, 4)
        if magic != 0 or content[2] != 8:
            raise ValueError("not an IDX file of bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}); {how_to_renew}.") from error
