"""What each head of a DeiT gets right. Knows arrays of answers; no models.

N images, K classes
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class HeadAnswers(NamedTuple):
    """Shares of the images, which sum to 1: where both heads are right, one of them alone, or none."""

    both: float
    class_alone: float
    distillation_alone: float
    none: float


def head_answers(
    labels: NDArray[np.int64], logits_class: NDArray[np.float32], logits_distillation: NDArray[np.float32]
) -> HeadAnswers:
    """Args: labels: (N,); logits of each head: (N, K)."""
    first = logits_class.argmax(-1) == labels
    second = logits_distillation.argmax(-1) == labels
    parts = (first & second, first & ~second, ~first & second, ~first & ~second)
    return HeadAnswers(*(float(part.mean()) for part in parts))
