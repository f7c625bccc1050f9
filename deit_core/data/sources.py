"""Where images come from: a name -> arrays of pixels and labels, with a hash of their content.

Knows files and downloads; nothing of splits, sizes or augmentation.
"""

import contextlib
import gzip
import hashlib
import struct
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deit_core.catalog import SOURCES, SourceName
from deit_core.data.stratified import stratified_split
from deit_core.errors import DataError

SYSTEM_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist
_FASHION_MNIST_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
_DIGITS_FILE = "sklearn/datasets/data/digits.csv.gz"


@dataclass(frozen=True, eq=False)
class Source:
    """Images are uint8 (N, channels, height, width), labels int64 (N,); `content_hash` is a SHA-256 of all four."""

    name: SourceName
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    content_hash: str

    @property
    def classes(self) -> tuple[str, ...]:
        return SOURCES[self.name].classes


def load_source(name: SourceName, data_dir: Path) -> Source:
    """Load a data set whole, downloading it where no copy is on this machine.

    Raises: DataError where it cannot be had, or a file is damaged.
    """
    arrays = _load_digits() if name == "digits" else _load_fashion_mnist(data_dir)
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    train_images, train_labels, test_images, test_labels = arrays
    return Source(
        name,
        train_images,
        train_labels.astype(np.int64),
        test_images,
        test_labels.astype(np.int64),
        digest.hexdigest(),
    )


def find_fashion_mnist(data_dir: Path) -> Path | None:
    """The folder that holds all four files, plain or gzipped: the data folder's, else the system's copy."""
    for folder in (_download_folder(data_dir), SYSTEM_FASHION_MNIST):
        if all(_existing(folder / name) for name in _FASHION_MNIST_FILES.values()):
            return folder
    return None


def is_here(name: SourceName, data_dir: Path) -> bool:
    """Whether the data set loads without a download."""
    return name == "digits" or find_fashion_mnist(data_dir) is not None


Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


def _load_digits() -> Arrays:
    """scikit-learn's digits have no official test split: one fifth, the same share of each class, always the same.

    Its file is read, and it is not imported: that would take a second.
    """
    file = str(distribution("scikit-learn").locate_file(_DIGITS_FILE))
    rows = np.loadtxt(file, dtype=np.uint8, delimiter=",")
    images = (rows[:, :-1].reshape(-1, 1, 8, 8) * (255 / 16)).round().astype(np.uint8)  # 16 grey levels
    labels = rows[:, -1]
    train, test = stratified_split(labels, SOURCES["digits"].num_test, seed=0)
    return images[train], labels[train], images[test], labels[test]


def _load_fashion_mnist(data_dir: Path) -> Arrays:
    folder = find_fashion_mnist(data_dir) or _download_fashion_mnist(data_dir)
    files = {key: _existing(folder / name) or folder / name for key, name in _FASHION_MNIST_FILES.items()}
    return (
        _read_idx(files["train_images"])[:, None],
        _read_idx(files["train_labels"]),
        _read_idx(files["test_images"])[:, None],
        _read_idx(files["test_labels"]),
    )


def _download_fashion_mnist(data_dir: Path) -> Path:
    """Download beside and move into place: another process may be looking for the files, or fetching them too."""
    from deit_core.torchvision_ops import torchvision

    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-", ignore_cleanup_errors=True) as beside,
            contextlib.redirect_stdout(sys.stderr),  # stdout may be somebody's JSON
        ):
            torchvision.datasets.FashionMNIST(beside, download=True)
            _download_folder(data_dir).parent.mkdir(exist_ok=True)
            if find_fashion_mnist(data_dir) is None:
                _download_folder(Path(beside)).rename(_download_folder(data_dir))
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(
            f"Fashion-MNIST is not on this machine and could not be downloaded ({' '.join(str(error).split())}). "
            "On Debian or Ubuntu `sudo apt install dataset-fashion-mnist` installs it; elsewhere put its four files "
            f"into {_download_folder(data_dir)}. The preset digits-quick needs no download."
        ) from error
    return _download_folder(data_dir)


def _download_folder(data_dir: Path) -> Path:
    return data_dir / "FashionMNIST" / "raw"  # where torchvision puts it


def _existing(path: Path) -> Path | None:
    zipped = path.with_name(path.name + ".gz")
    return zipped if zipped.exists() else path if path.exists() else None


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an array of bytes in the IDX format: two zero bytes, type 8, the number of axes, their lengths, the data."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        magic, num_axes = struct.unpack_from(">HxB", content)
        shape = struct.unpack_from(f">{num_axes}I", content, 4)
        if magic != 0 or content[2] != 8:
            raise ValueError("no IDX file of bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise DataError(f"{path} is damaged ({error}); delete it, then start again to fetch it anew.") from error
