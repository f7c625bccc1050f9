"""Data sets with a name: loaded whole, and downloaded if there is no copy.

Knows which reader reads what; nothing of splits, sizes or augmentation.
"""

import hashlib
from pathlib import Path

import numpy as np

from deit_core.catalog import SOURCES, SourceName
from deit_core.data.sources.downloads import find_published, how_to_renew, load_published
from deit_core.data.sources.scattered_digits import scattered_digits
from deit_core.data.sources.sklearn_digits import load_digits
from deit_core.data.sources.source import Source
from deit_core.errors import DataError
from deit_core.spec import DataSpec

ALWAYS_HERE: tuple[SourceName, ...] = ("digits", "scattered-digits")


def load_source(name: SourceName, data_dir: Path) -> Source:
    """Load a data set whole, and download it if there is no copy on this machine. Scattered digits are made as a spec
    has them by default.

    Raises: DataError where it cannot be loaded, or a file is damaged.
    """
    if name == "scattered-digits":
        return scattered_digits(DataSpec(source=name))
    arrays = load_digits() if name == "digits" else load_published(name, data_dir)
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    train_images, train_labels, test_images, test_labels = arrays
    for labels in (train_labels, test_labels):
        if len(labels) == 0 or labels.max() >= len(SOURCES[name].classes):
            highest = f"labels up to {labels.max()}" if len(labels) else "no image"
            folder = find_published(name, data_dir)
            assert folder is not None
            raise DataError(
                f"The files of {SOURCES[name].title} in {folder} contain {highest}, but it has "
                f"{len(SOURCES[name].classes)} classes: they belong to another data set; "
                f"{how_to_renew(folder, data_dir)}."
            )
    known = digest.hexdigest()
    return Source(
        name,
        SOURCES[name].classes,
        train_images,
        train_labels.astype(np.int64),
        test_images,
        test_labels.astype(np.int64),
        lambda _on_progress: known,
    )


def is_here(name: SourceName, data_dir: Path) -> bool:
    """Whether the data set loads without a download."""
    return name in ALWAYS_HERE or find_published(name, data_dir) is not None
