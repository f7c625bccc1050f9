"""What a teacher passes on: who disagrees with whom, inherited mistakes, and what it says of the other classes.

Knows labels, decisions and logits; nothing of models or files.

    N images, K classes

Sources: Touvron et al. 2021 (arXiv:2012.12877), table 4, for the disagreement; Hinton, Vinyals & Dean 2015
(arXiv:1503.02531) for the knowledge in the probabilities of wrong classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.paired import Paired, paired
from deit_core.analysis.probabilities import softmax

Labels = NDArray[np.int64]  # (N,) classes, true or decided

TRUTH = "truth"

# Table 4 of the paper: the share of ImageNet's validation images on which two of them differ. "DeiT" is without
# distillation, "both" the distilled one's answer.
PAPERS_DISAGREEMENT = {
    (TRUTH, "convnet"): 0.171,
    (TRUTH, "DeiT"): 0.182,
    (TRUTH, "class"): 0.170,
    (TRUTH, "distillation"): 0.169,
    (TRUTH, "both"): 0.166,
    ("convnet", "DeiT"): 0.133,
    ("convnet", "class"): 0.112,
    ("convnet", "distillation"): 0.100,
    ("convnet", "both"): 0.102,
    ("DeiT", "class"): 0.109,
    ("DeiT", "distillation"): 0.110,
    ("DeiT", "both"): 0.107,
    ("class", "distillation"): 0.050,
    ("class", "both"): 0.033,
    ("distillation", "both"): 0.019,
}


def disagreement(decisions: Mapping[str, Labels]) -> NDArray[np.float64]:
    """The share of images on which each two differ, (M, M) in the order of `decisions`.

    Args: decisions: of each model or head by its name, and the labels as `TRUTH`.
    """
    rows = list(decisions.values())
    return np.array([[np.mean(one != other) for other in rows] for one in rows])


@dataclass(frozen=True)
class Inherited:
    """What a student does with the images that its teacher is wrong on: the same mistake, another, or none."""

    same: int
    other: int
    right: int

    @property
    def num_images(self) -> int:
        return self.same + self.other + self.right

    @property
    def share(self) -> float | None:
        """Of the teacher's mistakes that the student makes in the same way; None where the teacher makes none."""
        return self.same / self.num_images if self.num_images else None


def inherited(labels: Labels, teacher: Labels, student: Labels) -> Inherited:
    """Args: teacher, student: decisions."""
    wrong = teacher != labels
    same, right = (int((wrong & (student == one)).sum()) for one in (teacher, labels))
    return Inherited(same, int(wrong.sum()) - same - right, right)


def more_inherited(labels: Labels, teacher: Labels, first: Labels, second: Labels) -> Paired | None:
    """The teacher's mistakes that two students make in the same way; None where the teacher makes none.

    To repeat a mistake counts as right here, so the difference and its test say which student inherits more.
    """
    wrong = teacher != labels
    return paired((first == teacher)[wrong], (second == teacher)[wrong]) if wrong.any() else None


def soft_labels(labels: Labels, logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """The mean probabilities (K, K) that a model gives to all classes, across, for the images of a class, down; NaN for
    a class without an image.
    """
    num_classes = logits.shape[1]
    sums = np.zeros((num_classes, num_classes))
    np.add.at(sums, labels, softmax(logits, temperature))
    counts = np.bincount(labels, minlength=num_classes)[:, None]
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


class DarkKnowledge(NamedTuple):
    """How alike teacher and student rank the wrong classes.

    `by_class` (K,) is Spearman's correlation of their soft labels over the other classes, for the images of each class;
    NaN where it cannot be known: a class without an image, fewer than two other classes, or all of them equal. `mean`
    is over the others, None where there is none.
    """

    by_class: NDArray[np.float64]
    mean: float | None


def dark_knowledge(teacher: NDArray[np.float64], student: NDArray[np.float64]) -> DarkKnowledge:
    """Args: teacher, student: `soft_labels` of the same images."""
    from scipy.stats import rankdata  # here, since no page needs it to paint

    num_classes = len(teacher)
    if num_classes < 3:
        return DarkKnowledge(np.full(num_classes, np.nan), None)
    is_other = ~np.eye(num_classes, dtype=bool)
    ranks = [
        rankdata(np.nan_to_num(one[is_other].reshape(num_classes, -1)), axis=1) - num_classes / 2
        for one in (teacher, student)
    ]  # with mean 0
    products = (ranks[0] * ranks[1]).sum(axis=1)
    sizes = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    by_class = np.divide(products, sizes, out=np.full(num_classes, np.nan), where=sizes > 0)
    known = by_class[~np.isnan(by_class)]
    return DarkKnowledge(by_class, float(known.mean()) if len(known) else None)
