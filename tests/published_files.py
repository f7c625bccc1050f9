"""Data sets in the formats in which they are published, made by tests."""

import gzip
import hashlib
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deit_core.catalog import SOURCES
from deit_core.torchvision_ops import torchvision

LOADERS = {"cifar-10": torchvision.datasets.CIFAR10, "cifar-100": torchvision.datasets.CIFAR100}


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write bytes as MNIST is published; packed where the name ends in .gz."""
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_cifar(monkeypatch: pytest.MonkeyPatch, data_dir: Path, name: str, num_images: int = 20) -> dict[str, Any]:
    """Write batches as they are published, make torchvision take their MD5 for the right one; what was written."""
    loader, rng, written = LOADERS[name], np.random.default_rng(0), {}
    folder = data_dir / loader.base_folder
    folder.mkdir(parents=True)
    num_classes = len(SOURCES[name].classes)

    def write(file: str, content: dict[str, Any]) -> list[str]:
        pickled = pickle.dumps(content, protocol=2)
        (folder / file).write_bytes(pickled)
        written[file] = content
        return [file, hashlib.md5(pickled).hexdigest()]

    def batch(file: str) -> list[str]:
        labels = (np.arange(num_images) % num_classes).tolist()
        pixels = rng.integers(0, 256, (num_images, 3072), dtype=np.uint8)
        labelled = {"labels": labels} if name == "cifar-10" else {"fine_labels": labels, "coarse_labels": labels}
        return write(file, {"data": pixels, **labelled})

    for attribute in ("train_list", "test_list"):
        monkeypatch.setattr(loader, attribute, [batch(file) for file, _ in getattr(loader, attribute)])
    meta = loader.meta
    _, md5 = write(meta["filename"], {meta["key"]: list(SOURCES[name].classes)})
    monkeypatch.setattr(loader, "meta", {**meta, "md5": md5})
    return written
