"""The first test images of a data set, which ship with the demo runs for those who do not have the data set."""

import hashlib
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from deit_core.catalog import SOURCES, SourceName
from deit_core.data.sources.named import ALWAYS_HERE, load_source
from deit_core.data.sources.source import Source
from deit_core.files import write_atomically
from deit_core.layout import DEMO_FOLDER

NUM_IMAGES = 200


def write_demo_images(folder: Path, name: SourceName, data_dir: Path) -> None:
    """Write them into a folder of demo runs, unless everybody has the data set.

    Raises: DataError where it cannot be loaded.
    """
    if name in ALWAYS_HERE:
        return
    source = load_source(name, data_dir)
    arrays = {"images": source.test_images[:NUM_IMAGES], "labels": source.test_labels[:NUM_IMAGES]}
    write_atomically(_file(folder, name), save({key: np.ascontiguousarray(array) for key, array in arrays.items()}))


def load_demo_images(name: SourceName, folder: Path | None = None) -> Source | None:
    """A source that has these test images, and no training images; None where none ship.

    Args: folder: of demo runs; by default of those that come with the program.
    """
    file = _file(folder or DEMO_FOLDER, name)
    if not file.exists():
        return None
    content = file.read_bytes()
    images, labels = (load(content)[key] for key in ("images", "labels"))
    digest = hashlib.sha256(content).hexdigest()
    return Source(name, SOURCES[name].classes, images[:0], labels[:0], images, labels, lambda _on_progress: digest)


def _file(folder: Path, name: SourceName) -> Path:
    return folder / f"{name}.safetensors"
