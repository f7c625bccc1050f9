"""The accuracy of a model on images that were changed, such as moved or with their patches in another order.

Knows a viewer and arrays; no runs.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from deit_core.attention import Viewer
from deit_core.data.sources.resizing import resize
from deit_core.lessons.patches import Images, moved, shuffled

_BATCH = 256
_SEED = 0  # of the order of the patches


def fitted(viewer: Viewer, images: Images) -> Images:
    """Images (B, C, S, S) at the size that the model reads."""
    sized: Images = resize(torch.from_numpy(np.ascontiguousarray(images)), viewer.card.img_size).numpy()
    return sized


def accuracy(viewer: Viewer, images: Images, labels: NDArray[np.int64]) -> float:
    """The share of images (B, C, S, S), at the model's size, whose class it names."""
    chunks = [viewer.predict(images[start : start + _BATCH]).argmax(-1) for start in range(0, len(images), _BATCH)]
    return float((np.concatenate(chunks) == labels).mean())


def accuracy_when_moved(
    viewer: Viewer, images: Images, labels: NDArray[np.int64], shifts: Sequence[int]
) -> list[float]:
    """The accuracy on images moved to the right by so many of the model's pixels. Args: images: of any size."""
    sized = fitted(viewer, images)
    return [accuracy(viewer, moved(sized, pixels), labels) for pixels in shifts]


def accuracy_when_shuffled(
    viewer: Viewer, images: Images, labels: NDArray[np.int64], patch_size: int
) -> tuple[float, float]:
    """The accuracy on images as they are, and on the same with their patches in one random order.

    Args: images: of any size.
    """
    sized = fitted(viewer, images)
    return accuracy(viewer, sized, labels), accuracy(viewer, shuffled(sized, patch_size, _SEED), labels)
