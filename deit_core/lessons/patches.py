"""Images cut into patches, put into another order, and put together again; images moved by some pixels.

Knows only arrays.

    B images, C channels, S side in pixels, P side of a patch, N = (S / P)^2 patches, row by row
"""

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from deit_core.errors import DeitError

Images = NDArray[np.uint8]
Order = NDArray[np.int64]


def cut(images: Images, patch_size: int) -> Images:
    """(B, C, S, S) -> (B, N, C, P, P). Raises: DeitError where patches do not divide the images."""
    if images.shape[-1] % patch_size:
        raise DeitError(f"Patches of {patch_size} px do not divide images of {images.shape[-1]} px; choose a divisor.")
    patches: Images = rearrange(images, "b c (gh p) (gw q) -> b (gh gw) c p q", p=patch_size, q=patch_size)
    return patches


def put_together(patches: Images) -> Images:
    """(B, N, C, P, P) -> (B, C, S, S), the inverse of `cut`."""
    side = round(patches.shape[1] ** 0.5)
    images: Images = rearrange(patches, "b (gh gw) c p q -> b c (gh p) (gw q)", gh=side)
    return images


def random_order(num_patches: int, seed: int) -> Order:
    """(N,) the patches' numbers in a random order."""
    return np.random.default_rng(seed).permutation(num_patches)


def shuffled(images: Images, patch_size: int, seed: int) -> Images:
    """The images with their patches in one random order, the same for all."""
    patches = cut(images, patch_size)
    return put_together(patches[:, random_order(patches.shape[1], seed)])


def moved(images: Images, pixels: int) -> Images:
    """The images moved to the right by so many pixels; what leaves at the right comes in at the left."""
    return np.roll(images, pixels, axis=-1)
