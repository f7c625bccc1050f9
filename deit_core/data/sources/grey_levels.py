"""Grey of more than 8 bits, from cameras, scanners and microscopes, scaled to 256 levels.

A file of 16 bits often uses fewer, so the pixels decide the range. Knows pixels; nothing of files.

    H x W picture
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deit_core.errors import DataError

DEEP_FORMATS = ("PNG", "TIFF")  # no other that is read has more than 8 bits
_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # a tag of TIFF that Pillow respects only for 8 bits


class GreyLevelsError(DataError):
    """An image whose values do not define black and white."""


def is_deep(image: Image.Image) -> bool:
    """Whether an image has grey of more than 8 bits; its pixels need not be loaded."""
    return image.mode in _MODES


def range_of(image: Image.Image) -> str:
    """The range that the grey of a deep image is scaled by, in words: "12 bits", or "fractions".

    Raises: GreyLevelsError where a pixel is below zero, or no finite number.
    """
    bits = _bits(*_visible_pixels(image))
    return f"{bits} bits" if bits else "fractions"


def in_eight_bits(image: Image.Image) -> Image.Image:
    """The image itself, or if it is deep, the same in 8 bits, with its transparency.

    The range is that of the visible pixels, up to an even number of bits, as sensors have: 8, 10, 12, 14, 16 or more.
    So 12 bits in a file of 16 keep 256 levels, full 16 bits are divided by 256, and pictures of one camera keep their
    brightness to each other. Fractions up to 1 are shares of white.

    Raises: GreyLevelsError where a pixel is below zero, or no finite number.
    """
    if not is_deep(image):
        return image
    pixels, visible = _visible_pixels(image)
    shown = np.where(visible, pixels, 0)
    if bits := _bits(pixels, visible):
        levels = (shown // 2 ** (bits - 8)).astype(np.uint8)
    else:
        levels = (shown * 255).round().astype(np.uint8)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        levels = 255 - levels
    grey = Image.fromarray(levels)
    if not visible.all():
        grey.putalpha(Image.fromarray(visible.astype(np.uint8) * 255))
    return grey


def _visible_pixels(image: Image.Image) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Pixels (H, W), and which of them are not transparent."""
    pixels = np.asarray(image)
    return pixels, pixels != image.info.get("transparency", -1)


def _bits(pixels: NDArray[Any], visible: NDArray[np.bool_]) -> int:
    """The even number of bits, at least 8, that fits all visible pixels; 0 for fractions up to 1."""
    values = pixels[visible]
    if not values.size:
        return 8
    lowest, highest = values.min(), values.max()
    if not (lowest >= 0 and np.isfinite(highest)):
        raise GreyLevelsError(
            f"Its pixels run from {lowest} to {highest}, so black and white are not defined; save it with "
            "grey levels from 0 on."
        )
    if pixels.dtype.kind == "f" and highest <= 1:
        return 0
    bits = max(8, int(highest).bit_length())
    return bits + bits % 2
