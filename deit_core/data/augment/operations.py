"""RandAugment's operations as numbers: what each does at a strength, and its formulas for tables of 256 levels.

The operations and strengths are torchvision's. The formulas serve one image and a whole batch: they take arrays of
numpy or tensors, and give the same bits for both. Knows levels and places of pixels; no images.

    256 levels, K kinds, S img_size

Source: Cubuk et al. 2020 (arXiv:1909.13719).
"""

import math
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_NUM_STRENGTHS = 31
UNIT_BITS = 16  # places of pixels are whole numbers of 1 / 2^16 pixel: the same everywhere, to the last bit

Levels = TypeVar("Levels", NDArray[Any], Tensor)


class Kind(IntEnum):
    """In torchvision's order, which the draws are numbered by."""

    IDENTITY = 0
    SHEAR_X = 1
    SHEAR_Y = 2
    TRANSLATE_X = 3
    TRANSLATE_Y = 4
    ROTATE = 5
    BRIGHTNESS = 6
    SATURATION = 7
    CONTRAST = 8
    SHARPNESS = 9
    POSTERIZE = 10
    SOLARIZE = 11
    AUTO_CONTRAST = 12
    EQUALIZE = 13


GEOMETRIC = frozenset({Kind.SHEAR_X, Kind.SHEAR_Y, Kind.TRANSLATE_X, Kind.TRANSLATE_Y, Kind.ROTATE})
JITTER = (Kind.BRIGHTNESS, Kind.CONTRAST, Kind.SATURATION)


class Operation(NamedTuple):
    """A kind, with its factor, bits or threshold, and the matrix (6,) from a place in the result to one in the image:
    x = (m0 X + m1 Y + m2) >> UNIT_BITS, and y by the other three.
    """

    kind: Kind
    value: float
    matrix: tuple[int, ...]


def operations_at(magnitude: int, size: int) -> tuple[Operation, ...]:
    """(2 K): each kind at a magnitude of 0..30 for images of this size, then each with the opposite sign."""
    return tuple(_operation(kind, magnitude, sign, size) for sign in (1, -1) for kind in Kind)


def _operation(kind: Kind, magnitude: int, sign: int, size: int) -> Operation:
    def strength(most: float) -> float:
        return sign * float(torch.linspace(0, most, _NUM_STRENGTHS)[magnitude])

    x, y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    value = 0.0
    match kind:
        case Kind.SHEAR_X:
            x = (1.0, strength(0.3), 0.0)
        case Kind.SHEAR_Y:
            y = (strength(0.3), 1.0, 0.0)
        case Kind.TRANSLATE_X:
            x = (1.0, 0.0, -int(strength(150 / 331 * size)))
        case Kind.TRANSLATE_Y:
            y = (0.0, 1.0, -int(strength(150 / 331 * size)))
        case Kind.ROTATE:
            x, y = _rotation(math.radians(strength(30)), size / 2)
        case Kind.BRIGHTNESS | Kind.SATURATION | Kind.CONTRAST | Kind.SHARPNESS:
            value = 1 + strength(0.9)
        case Kind.POSTERIZE:
            value = float(round(8 - magnitude / ((_NUM_STRENGTHS - 1) / 4)))
        case Kind.SOLARIZE:
            value = 255 * float(torch.linspace(1, 0, _NUM_STRENGTHS)[magnitude])
    return Operation(kind, value, (*_in_units(*x), *_in_units(*y)))


def _rotation(angle: float, centre: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    cos, sin = math.cos(angle), math.sin(angle)
    return (cos, -sin, centre * (1 - cos + sin)), (sin, cos, centre * (1 - cos - sin))


def _in_units(across: float, down: float, shift: float) -> tuple[int, int, int]:
    """Whole numbers for the places of pixels, whose middles are half a pixel further."""
    unit = 2**UNIT_BITS
    return round(unit * across), round(unit * down), round(unit * (shift + (across + down) / 2))


def blended(levels: Levels, origin: Any, factor: Any) -> Levels:
    """As far from the origin as the factor says; brightness has the origin 0, contrast the mean."""
    changed: Levels = (levels * factor + origin * (1 - factor)).round().clip(0, 255)
    return changed


def posterized(levels: Levels, step: Any) -> Levels:
    changed: Levels = levels // step * step
    return changed


def solarized(levels: Levels, threshold: Any) -> Levels:
    changed: Levels = levels + (levels >= threshold) * (255 - 2 * levels)
    return changed


def stretched(levels: Levels, lowest: Any, highest: Any) -> Levels:
    """From the darkest and the lightest level of a channel to 0 and 255, where they differ."""
    reach = highest - lowest
    is_flat = reach == 0
    changed: Levels = (
        ((levels - lowest * ~is_flat) * (255 * ~is_flat + is_flat) / (reach + is_flat)).round().clip(0, 255)
    )
    return changed


def equalized(counts: Levels, num_lightest: Any) -> Levels:
    """The table for counts (..., 256) of the levels of a channel, as Pillow makes it.

    Args: num_lightest: the count (..., 1) of the lightest level that occurs.
    """
    above = counts.cumsum(-1)
    step = (above[..., -1:] - num_lightest) // 255
    is_flat = step == 0
    table = ((above - counts + step // 2) // (step + is_flat)).clip(0, 255)
    changed: Levels = table * ~is_flat + (counts * 0 + 1).cumsum(-1) * is_flat - is_flat * 1
    return changed


def all_levels() -> NDArray[np.float32]:
    """(256,)"""
    return np.arange(256, dtype=np.float32)
