"""In which classes one model is right more often than another, and whether chance explains it.

Knows labels, decisions and names; nothing of models or files.

    N images, K classes
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.paired import Paired, paired
from deit_core.text.quoting import quoted

Labels = NDArray[np.int64]  # (N,) classes, true or decided

_LEVEL = 0.05
_NAMED = 3  # classes that a sentence names


@dataclass(frozen=True)
class ClassChange:
    """Two models on the images of one class.

    p_value: of McNemar's exact test, corrected by Holm for the number of classes that are tested.
    """

    label: int
    paired: Paired
    p_value: float

    @property
    def difference(self) -> float:
        """The accuracy of the second less that of the first."""
        return self.paired.difference

    @property
    def can_tell(self) -> bool:
        """Whether chance alone gives such a difference in any class less than once in twenty times."""
        return self.p_value < _LEVEL


def class_changes(labels: Labels, first: Labels, second: Labels) -> list[ClassChange]:
    """The classes with images, those in which the second gains most first. Args: first, second: decisions.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    found = [
        (int(label), paired((first == label)[labels == label], (second == label)[labels == label]))
        for label in np.unique(labels)
    ]
    order = sorted(range(len(found)), key=lambda number: found[number][1].p_value)
    corrected, largest = {}, 0.0
    for rank, number in enumerate(order):
        largest = max(largest, min(1.0, (len(found) - rank) * found[number][1].p_value))
        corrected[number] = largest
    changes = [ClassChange(label, pair, corrected[number]) for number, (label, pair) in enumerate(found)]
    return sorted(changes, key=lambda one: (-one.difference, one.label))


def change_words(changes: Sequence[ClassChange], names: tuple[str, str], classes: Sequence[str]) -> list[str]:
    """In which classes the second gains and loses most, and what of it can be chance, in sentences.

    Args: changes: as of `class_changes`. names: of both models.
    """
    first, second = names
    gains = [one for one in changes if one.difference > 0]
    losses = [one for one in reversed(changes) if one.difference < 0]
    if not gains and not losses:
        return [f"{first} and {second} are right equally often in every class."]
    parts = [
        f"{verb} {_several(some, classes)}"
        for verb, some in (("gains most in", gains), ("loses most in", losses))
        if some
    ]
    said = [f"Class by class, against {first}, {second} {' and '.join(parts)}."]
    told = sorted((one for one in changes if one.can_tell), key=lambda one: -abs(one.difference))
    test = (
        f"McNemar's exact test on the images of each class, with Holm's correction for {len(changes):,} classes; one "
        "training of each"
    )
    if not told:
        said.append(f"Each of these differences can be chance ({test}).")
    else:
        named = _few([quoted(classes[one.label]) for one in told])
        said.append(
            f"In {len(told):,} of {len(changes):,} classes the difference is more than chance explains: "
            f"{named} ({test})."
        )
    return said


def _several(changes: Sequence[ClassChange], classes: Sequence[str]) -> str:
    return _joined(
        [
            f"{quoted(classes[one.label])} ({one.paired.accuracies[0]:.0%} to {one.paired.accuracies[1]:.0%})"
            for one in changes[:_NAMED]
        ]
    )


def _few(words: Sequence[str]) -> str:
    more = len(words) - 2 * _NAMED
    return _joined(words) if more <= 0 else f"{', '.join(words[: 2 * _NAMED])} and {more:,} more"


def _joined(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
