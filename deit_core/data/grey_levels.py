"""Grey of more than 8 bits, as cameras, scanners and microscopes write it, in the 256 levels that everything else has.

A file of 16 bits often holds fewer: what it is scaled by is read off the pixels. Knows pixels; nothing of models.

    H x W picture
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deit_core.errors import DataError

_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_FORMATS = ("PNG", "TIFF")  # no other that is read has more than 8 bits
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a tag of TIFF, which Pillow heeds in 8 bits only


class GreyLevelsError(DataError):
    """An image whose numbers do not say what is black and what is white."""


def is_deep(file: Path) -> bool:
    """Whether an image file holds grey of more than 8 bits; only its header is read."""
    try:
        with Image.open(file, formats=_FORMATS) as image:
            return image.mode in _MODES
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # whoever reads the pixels says so
        return False


def in_eight_bits(image: Image.Image) -> Image.Image:
    """The image itself, or where its grey has more than 8 bits, the same in 8, with what is transparent in it.

    The range is that of the visible pixels, up to an even number of bits, as sensors have: 8, 10, 12, 14, 16 or more.
    So 12 bits in a file of 16 keep 256 levels, full 16 bits are divided by 256, and pictures of one camera keep their
    brightness to each other. Fractions up to 1 are shares of white.

    Raises: GreyLevelsError where a pixel is below zero, or no finite number.
    """
    if image.mode not in _MODES:
        return image
    pixels = np.asarray(image)
    visible = pixels != image.info.get("transparency", -1)
    seen = pixels[visible]
    if seen.size and not (seen.min() >= 0 and np.isfinite(seen).all()):
        raise GreyLevelsError(
            f"Its pixels run from {seen.min()} to {seen.max()}, so what is black and what is white is not known; save "
            "it with grey levels from 0 on."
        )
    levels = _scaled(np.where(visible, pixels, 0), seen.max(initial=0))
    if _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        levels = 255 - levels
    grey = Image.fromarray(levels)
    if not visible.all():
        grey.putalpha(Image.fromarray(visible.astype(np.uint8) * 255))
    return grey


def _scaled(pixels: NDArray[np.generic], highest: np.generic) -> NDArray[np.uint8]:
    """Pixels (H, W) from 0 to `highest` as 256 levels."""
    if pixels.dtype.kind == "f" and highest <= 1:
        return (pixels * 255).round().astype(np.uint8)
    bits = max(8, int(highest).bit_length())
    return (pixels // 2 ** (bits + bits % 2 - 8)).astype(np.uint8)


def _tag(image: Image.Image, number: int) -> object:
    return getattr(image, "tag_v2", {}).get(number)
