"""The accuracy of a model on images that were changed, such as moved or with their patches in another order.

Knows a viewer and arrays; no runs.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deit_core.attention import Viewer
from deit_core.lessons.patches import Images, moved, shuffled

_BATCH = 256
_SEED = 0  # of the order of the patches


def accuracy(viewer: Viewer, images: Images, labels: NDArray[np.int64]) -> float:
    """The share of images (B, C, S, S) whose class the model names."""
    chunks = [viewer.predict(images[start : start + _BATCH]).argmax(-1) for start in range(0, len(images), _BATCH)]
    return float((np.concatenate(chunks) == labels).mean())


def accuracy_when_moved(
    viewer: Viewer, images: Images, labels: NDArray[np.int64], shifts: tuple[int, ...]
) -> dict[int, float]:
    """The accuracy on images moved to the right by so many pixels."""
    return {pixels: accuracy(viewer, moved(images, pixels), labels) for pixels in shifts}


def accuracy_when_shuffled(
    viewer: Viewer, images: Images, labels: NDArray[np.int64], patch_size: int
) -> Mapping[str, float]:
    """The accuracy on images as they are, and on the same with their patches in one random order."""
    return {
        "in order": accuracy(viewer, images, labels),
        "shuffled": accuracy(viewer, shuffled(images, patch_size, _SEED), labels),
    }
