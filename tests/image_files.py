"""Folders of images that tests make, and specs that read them."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from deit_core.spec import DataSpec

CLASSES = ("bee", "cow", "red kite")
COLOURS = {"bee": (230, 200, 20), "cow": (90, 60, 30), "red kite": (200, 30, 20)}


def write_images(root: Path, count: int, size: tuple[int, int] = (40, 24), classes: tuple[str, ...] = CLASSES) -> None:
    """Images (width, height) of noise around one colour for each class."""
    rng = np.random.default_rng(len(root.name))
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            noise = rng.integers(-20, 21, (size[1], size[0], 3))
            pixels = np.clip(np.array(COLOURS.get(name, (9, 9, 9))) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number:03}.{'png' if number % 2 else 'jpg'}")


def encode(image: Image.Image, fmt: str, **options: object) -> bytes:
    """The file that an image becomes."""
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def age(root: Path) -> None:
    """Make files as old as those of a folder that nobody works on."""
    for file in root.rglob("*.*"):
        then = file.stat().st_mtime_ns - 3600 * 10**9
        os.utime(file, ns=(then, then))


def spec_of(path: Path | str, **changes: object) -> DataSpec:
    """A folder read at 16 px, with changes by field."""
    return DataSpec.model_validate({"source": "folder", "path": str(path), "img_size": 16, **changes})


def zip_of(folder: Path, path: Path, padding: int = 0) -> Path:
    """A zip of a folder; the padding is a document, which no compression makes smaller."""
    with zipfile.ZipFile(path, "w") as content:
        for file in folder.rglob("*.*"):
            content.write(file, file.relative_to(folder))
        if padding:
            content.writestr("notes.txt", os.urandom(padding))
    return path
