"""How large the images of a source are before they are resized. Reads the first bytes of some files; no pixels."""

from pathlib import Path
from statistics import median

from PIL import Image

from deit_core.data.sources.folder_images import FolderImages
from deit_core.data.sources.source import Source
from deit_core.image_folders import FORMATS

_MOST_FILES = 256  # of a folder, spread over all of them


def native_size(source: Source) -> int:
    """The side of the images in pixels: of a folder's the median of their shorter sides, since a square is cut out."""
    images = source.train_images
    if not isinstance(images, FolderImages):
        return int(images.shape[-1])
    sides = [_shorter_side(file) for file in images.files[:: -(-len(images) // _MOST_FILES)]]
    return int(median([side for side in sides if side])) if any(sides) else 0


def _shorter_side(file: Path) -> int:
    """0 where a file cannot be read: reading its pixels reports it."""
    try:
        with Image.open(file, formats=tuple(FORMATS)) as image:
            return min(image.size)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0
