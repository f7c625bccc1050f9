"""Random splits in which every class keeps its share.

The draw is that of scikit-learn's `StratifiedShuffleSplit` from the same seed, number for number, so that old runs
keep their splits. It is written here because importing scikit-learn costs each worker a second of its start. Knows
labels; nothing of images.
"""

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def stratified_split(
    labels: NDArray[np.integer], num_held: int, seed: int, *, held_for: str = "validation"
) -> tuple[Positions, Positions]:
    """Positions of `labels` that stay, and the `num_held` that are held out, both in random order.

    Args: held_for: the name of the held-out labels in errors.
    Raises: ValueError when a class is too small for both sides.
    """
    classes, counts = np.unique(labels, return_counts=True)
    num_kept = len(labels) - num_held
    if counts.min() < 2 or min(num_kept, num_held) < len(classes):
        raise ValueError(
            f"{num_kept:,} for training and {num_held:,} for {held_for}, of {len(classes)} classes, the smallest of "
            f"which has {counts.min()}"
        )
    return _draw(labels, num_held, seed)


def stratified_subset(labels: NDArray[np.integer], num_kept: int, seed: int) -> Positions:
    """Positions of the `num_kept` of `labels` that `stratified_split` keeps; what is left out may lack a class.

    Raises: ValueError when what is kept lacks one.
    """
    kept, _ = _draw(labels, len(labels) - num_kept, seed)
    if num_lost := len(np.setdiff1d(labels, labels[kept])):
        raise ValueError(f"{num_kept} images, and {num_lost} of the classes have none of them")
    return kept


def _draw(labels: NDArray[np.integer], num_held: int, seed: int) -> tuple[Positions, Positions]:
    _, counts = np.unique(labels, return_counts=True)
    num_kept = len(labels) - num_held
    rng = np.random.RandomState(seed)
    kept_counts = _apportion(counts, num_kept, rng)
    held_counts = _apportion(counts - kept_counts, num_held, rng)
    kept, held = [], []
    of_classes = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    for positions, num_kept_of_class, num_held_of_class in zip(of_classes, kept_counts, held_counts, strict=True):
        shuffled = rng.permutation(positions)
        kept.append(shuffled[:num_kept_of_class])
        held.append(shuffled[num_kept_of_class : num_kept_of_class + num_held_of_class])
    return rng.permutation(np.concatenate(kept)), rng.permutation(np.concatenate(held))


def _apportion(counts: Positions, num_drawn: int, rng: np.random.RandomState) -> Positions:
    """How many to draw of each class: its quota rounded down, then one more for the largest remainders.

    Among equal remainders chance decides; it is drawn for whole groups too, as scikit-learn does.
    """
    quotas = counts / counts.sum() * num_drawn
    drawn: Positions = np.floor(quotas).astype(np.int64)
    remainders = quotas - drawn
    for remainder in np.unique(remainders)[::-1]:
        missing = num_drawn - int(drawn.sum())
        if missing <= 0:
            break
        tied = np.flatnonzero(remainders == remainder)
        drawn[rng.permutation(tied)[:missing]] += 1
    return drawn
