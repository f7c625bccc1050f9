"""Where models are wrong: confusion matrices, accuracy by class, who is right where, and the worst mistakes.

Knows labels, decisions and logits; nothing of models or files.

    N images, K classes, M models
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.probabilities import log_softmax
from deit_core.text.quoting import quoted
from deit_core.wording import counted

Labels = NDArray[np.int64]  # (N,) classes, true or decided

_NEARLY_NEVER = 0.05
_NAMED = 3  # classes that a sentence names


def confusion(labels: Labels, decisions: Labels, num_classes: int) -> NDArray[np.int64]:
    """The number of images (K, K) by their true class, down, and the decision, across.

    The difference of two such matrices shows what one model confuses less than another.
    """
    cells = np.bincount(labels * num_classes + decisions, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def class_accuracies(labels: Labels, decisions: Labels, num_classes: int) -> NDArray[np.float64]:
    """The share of each class's images that is decided rightly (K,); NaN for a class without an image."""
    counts = np.bincount(labels, minlength=num_classes)
    right = np.bincount(labels[labels == decisions], minlength=num_classes)
    accuracies: NDArray[np.float64] = np.divide(right, counts, out=np.full(num_classes, np.nan), where=counts > 0)
    return accuracies


class RareClass(NamedTuple):
    """A class that a model decides for far less often than it occurs: `num_decided` times, for `num_images`."""

    label: int
    num_images: int
    num_decided: int


def rare_classes(labels: Labels, decisions: Labels, num_classes: int) -> list[RareClass]:
    """The classes that are decided for at most once for every twenty of their images, the most frequent first."""
    counts, decided = (np.bincount(classes, minlength=num_classes) for classes in (labels, decisions))
    rare = np.flatnonzero((counts > 0) & (decided <= _NEARLY_NEVER * counts))
    found = [RareClass(int(label), int(counts[label]), int(decided[label])) for label in rare]
    return sorted(found, key=lambda one: (-one.num_images, one.label))


def missed(rare: Sequence[RareClass], classes: Sequence[str]) -> str:
    """The classes that a model misses, as the end of a sentence; empty where it misses none."""
    parts = []
    for verb, some in (
        ("never answers", [one for one in rare if not one.num_decided]),
        ("hardly ever answers", [one for one in rare if one.num_decided]),
    ):
        if some:
            named = [f"{quoted(classes[one.label])} ({counted(one.num_images, 'image')})" for one in some[:_NAMED]]
            more = f" and {len(some) - _NAMED:,} classes more" if len(some) > _NAMED else ""
            parts.append(f"{verb} {', '.join(named)}{more}")
    return "; it ".join(parts)


def who_is_right(labels: Labels, decisions: Sequence[Labels]) -> dict[tuple[bool, ...], NDArray[np.int64]]:
    """The images, by their numbers, of each of the 2^M cases of which models are right; a case may have none.

    Args: decisions: of each model, such as teacher, ViT and DeiT.
    """
    right = np.stack([one == labels for one in decisions], axis=1)  # (N, M)
    return {
        case: np.flatnonzero((right == np.array(case)).all(axis=1))
        for case in product((True, False), repeat=len(decisions))
    }


class Mistake(NamedTuple):
    """A wrong decision: the number of its image, and the probabilities of the class decided for and of the true one."""

    image: int
    label: int
    decision: int
    probability: float
    true_probability: float


def worst_mistakes(labels: Labels, logits: NDArray[np.floating], limit: int = 20) -> list[Mistake]:
    """The wrong decisions in whose true class the model believes least, the worst first."""
    log_chances = log_softmax(logits)
    decisions = logits.argmax(1)
    wrong = np.flatnonzero(decisions != labels)
    worst = wrong[np.argsort(log_chances[wrong, labels[wrong]], kind="stable")][:limit]
    return [
        Mistake(
            image=int(image),
            label=int(labels[image]),
            decision=int(decisions[image]),
            probability=float(np.exp(log_chances[image, decisions[image]])),
            true_probability=float(np.exp(log_chances[image, labels[image]])),
        )
        for image in worst
    ]


def largest_class(labels: Labels) -> tuple[int, float]:
    """The most frequent class, and its share of the images: the accuracy of always deciding for it."""
    counts = np.bincount(labels)
    return int(counts.argmax()), float(counts.max() / len(labels))
