"""How often a teacher contradicts the label of what a student learns from. Knows arrays of predictions.

V views
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Contradictions:
    """Counts of views, and of those that the teacher contradicts; `mixed` ones are two images in one."""

    num_views: int
    contradicted: int
    num_mixed: int
    contradicted_mixed: int

    @property
    def share(self) -> float:
        return self.contradicted / self.num_views


def contradicts(
    decided: NDArray[np.int64], labels: NDArray[np.int64], other_labels: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Where a decision is not the label; of two mixed images, neither of both labels.

    Args: all (V,); `other_labels` are -1 where nothing was mixed in.
    """
    found: NDArray[np.bool_] = (decided != labels) & (decided != other_labels)
    return found


def contradictions(
    decided: NDArray[np.int64], labels: NDArray[np.int64], other_labels: NDArray[np.int64]
) -> Contradictions | None:
    """Args: as of `contradicts`. Returns: None without any view."""
    if not len(labels):
        return None
    found, is_mixed = contradicts(decided, labels, other_labels), other_labels >= 0
    return Contradictions(len(labels), int(found.sum()), int(is_mixed.sum()), int((found & is_mixed).sum()))
