"""A map in a sentence: from how few patches half of it comes, and how much of it lies on what is bright.

C channels, S img_size, gh x gw patches
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class MapNumbers(NamedTuple):
    """`num_few` patches, as few as possible, hold half of the map. Shares are in [0, 1].

    on_bright: of the map, on the bright part of the picture.
    bright: of the picture, which of its area is bright.
    """

    num_few: int
    num_patches: int
    on_bright: float
    bright: float


def map_numbers(values: NDArray[np.float32], pixels: NDArray[np.uint8]) -> MapNumbers | None:
    """Args:
        values: (gh, gw), at least 0.
        pixels: (C, S, S), what the model saw. Its bright part is found by Otsu's threshold (Otsu 1979).
    Returns: None for a map of nothing but 0.
    """
    total = float(values.sum())
    if total <= 0:
        return None
    shares = np.asarray(values, np.float64) / total
    num_few = int(np.searchsorted(np.cumsum(np.sort(shares.ravel())[::-1]), 0.5)) + 1
    grey = np.rint(pixels.mean(axis=0)).astype(np.uint8)
    _, bright = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    rows, columns = shares.shape
    height, width = bright.shape
    parts = bright.reshape(rows, height // rows, columns, width // columns).mean(axis=(1, 3))
    return MapNumbers(num_few, shares.size, float((shares * parts).sum()), float(bright.mean()))


def map_in_words(values: NDArray[np.float32], pixels: NDArray[np.uint8]) -> str:
    """The end of a sentence: half of it comes from 3 of 25 patches, and so on."""
    numbers = map_numbers(values, pixels)
    if numbers is None:
        return "nothing reaches the patches"
    return (
        f"half of it comes from {numbers.num_few} of {numbers.num_patches} patches, and {numbers.on_bright:.0%} of it "
        f"lies on the bright part of the picture, which is {numbers.bright:.0%} of its area"
    )
