"""When to give a run up: the median rule. Numbers alone; knows no runs."""

from collections.abc import Sequence
from statistics import fmean, median


def median_above(best: float, epoch: int, others: Sequence[Sequence[float]]) -> float | None:
    """The median of the other runs' means up to an epoch, if it is above the best value of a run so far; else None.

    Args:
        best: of the run, up to `epoch`, counted from 1.
        others: one or more runs that have ended, each with its value after each epoch.
    Source: Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization", section 3.2.2.
    """
    middle = median(fmean(values[:epoch]) for values in others)
    return middle if best < middle else None
