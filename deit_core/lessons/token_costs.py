"""What patches cost: tokens and operations by the size of the patches.

Operations are counted from sizes, as `torch.utils.flop_counter` counts them. Loads no torch.

    N tokens, D width
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """Of one block for one image.

    patch_size: side in pixels; tokens: the patches and the class token.
    attention: operations that compare every token with every other and mix them, 4 N^2 D.
    rest: operations on each token by itself: queries, keys, values, projection and an MLP twice as wide.
    """

    patch_size: int
    tokens: int
    attention: int
    rest: int


def costs(img_size: int, width: int) -> list[Cost]:
    """The cost of each size of patches that divides the images, the largest first."""
    sizes = [size for size in range(img_size, 0, -1) if img_size % size == 0]
    tokens = [(img_size // size) ** 2 + 1 for size in sizes]
    return [
        Cost(size, count, 4 * count**2 * width, 16 * count * width**2)
        for size, count in zip(sizes, tokens, strict=True)
    ]


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The power of the size that the values follow: the slope of a line through both logarithms."""
    return statistics.linear_regression([math.log(one) for one in sizes], [math.log(one) for one in values]).slope
