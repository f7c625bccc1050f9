"""Views of one image on a CPU, by OpenCV: its channels lie one after the other, and stay 8 bits.

Threads call these at the same time; OpenCV releases Python's lock. Knows one image; no draws and no batches.

    C channels, S img_size
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from deit_core.data.augment.operations import (
    UNIT_BITS,
    Kind,
    all_levels,
    blended,
    equalized,
    posterized,
    solarized,
    stretched,
)

Planes = NDArray[np.uint8]  # (C, S, S)
_SOFT = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
_SHARP = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)


def cut_out(image: Planes, down: int, across: int, size: int, *, mirrored: bool) -> Planes:
    """A square of a padded image (C, S + 2p, S + 2p): of the same memory, or mirrored."""
    planes = image[:, down : down + size, across : across + size]
    return _each(planes, lambda plane, target: cv2.flip(plane, 1, target)) if mirrored else planes


def enlarged(planes: Planes, region: Sequence[int]) -> Planes:
    """A region (top, left, height, width) enlarged to the whole, bicubic."""
    top, left, height, width = region
    parts = planes[:, top : top + height, left : left + width]
    size = planes.shape[-1], planes.shape[-1]
    return _each(
        parts, lambda part, target: cv2.resize(part, size, target, interpolation=cv2.INTER_CUBIC), planes.shape
    )


def source_places(matrix: Sequence[int], size: int) -> NDArray[np.int16]:
    """Where each pixel of a warped image comes from, (S, S, 2): across and down."""
    span = np.arange(size, dtype=np.int32)
    x = (matrix[0] * span + matrix[1] * span[:, None] + matrix[2]) >> UNIT_BITS
    y = (matrix[3] * span + matrix[4] * span[:, None] + matrix[5]) >> UNIT_BITS
    return np.stack([x, y], axis=-1).astype(np.int16)


def warped(planes: Planes, places: NDArray[np.int16]) -> Planes:
    """Pixels from `places`, black where those are outside."""
    return _each(
        planes,
        lambda plane, target: cv2.remap(plane, places, None, cv2.INTER_NEAREST, target),  # type: ignore[call-overload]
    )


def recoloured(planes: Planes, kind: Kind, value: np.float32) -> Planes:
    """The image after an operation on its colours, with its factor, bits or threshold."""
    match kind:
        case Kind.SATURATION:
            return _saturated(planes, value)
        case Kind.SHARPNESS:
            return _sharpened(planes, value)
        case Kind.AUTO_CONTRAST | Kind.EQUALIZE:
            return _each(planes, lambda plane, target: cv2.LUT(plane, _own_table(plane, kind), target))
    flat = planes.reshape(-1, planes.shape[-1])
    return cv2.LUT(flat, _table(planes, kind, value)).reshape(planes.shape).astype(np.uint8, copy=False)


def erased(planes: Planes, box: Sequence[int], noise: Planes, window: Sequence[int]) -> Planes:
    """A box (top, bottom, left, right) filled with noise: what lies in it in a window that starts at `window`."""
    top, bottom, left, right = box
    down, across = window
    planes = planes.copy()
    planes[:, top:bottom, left:right] = noise[: len(planes), down + top : down + bottom, across + left : across + right]
    return planes


def _each(
    planes: Planes,
    change: Callable[[NDArray[np.uint8], NDArray[np.uint8]], object],
    shape: tuple[int, ...] | None = None,
) -> Planes:
    """What `change` writes into its second argument, for each channel."""
    changed = np.empty(shape or planes.shape, np.uint8)
    for plane, target in zip(planes, changed, strict=True):
        change(plane, target)
    return changed


def _table(planes: Planes, kind: Kind, value: np.float32) -> NDArray[np.uint8]:
    levels = all_levels()
    match kind:
        case Kind.BRIGHTNESS:
            levels = blended(levels, np.float32(0), value)
        case Kind.CONTRAST:
            grey = _grey(planes)
            levels = blended(levels, np.float32(cv2.sumElems(grey)[0] / grey.size), value)
        case Kind.POSTERIZE:
            levels = posterized(levels, np.float32(2) ** (8 - value))
        case Kind.SOLARIZE:
            levels = solarized(levels, value)
    return np.asarray(levels, np.uint8)


def _own_table(plane: NDArray[np.uint8], kind: Kind) -> NDArray[np.uint8]:
    """The table of a channel, which depends on its own levels."""
    if kind == Kind.AUTO_CONTRAST:
        lowest, highest, _, _ = cv2.minMaxLoc(plane)
        return np.asarray(stretched(all_levels(), np.float32(lowest), np.float32(highest)), np.uint8)
    counts = cv2.calcHist([plane], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return np.asarray(equalized(counts, counts[counts.nonzero()[0][-1:]]), np.uint8)


def _grey(planes: Planes) -> NDArray[np.uint8]:
    is_grey = len(planes) == 1
    grey: NDArray[np.uint8] = planes[0] if is_grey else cv2.cvtColor(cv2.merge(list(planes)), cv2.COLOR_RGB2GRAY)
    return grey


def _saturated(planes: Planes, factor: np.float32) -> Planes:
    if len(planes) == 1:
        return planes
    grey = _grey(planes)
    own, others = float(factor), float(1 - factor)
    return _each(planes, lambda plane, target: cv2.addWeighted(plane, own, grey, others, 0, target))


def _sharpened(planes: Planes, factor: np.float32) -> Planes:
    """The border has no neighbours on all sides, and stays."""
    kernel = factor * _SHARP + (1 - factor) * _SOFT
    sharpened = planes.copy()
    for plane, target in zip(planes, sharpened, strict=True):
        target[1:-1, 1:-1] = cv2.filter2D(plane, -1, kernel)[1:-1, 1:-1]
    return sharpened
