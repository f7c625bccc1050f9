"""The median rule, on curves whose medians can be seen."""

import pytest

from deit_core.analysis.median_rule import median_above

OTHERS = [[0.2, 0.4, 0.9], [0.4, 0.6, 0.9], [0.6, 0.8, 0.9]]


@pytest.mark.parametrize(("epoch", "median"), [(1, 0.4), (2, 0.5), (3, 19 / 30)])
def test_the_means_are_taken_up_to_the_epoch(epoch: int, median: float) -> None:
    assert median_above(0.39, epoch, OTHERS) == pytest.approx(median)


def test_a_run_at_the_median_goes_on() -> None:
    assert median_above(0.5, 1, [[0.5], [0.5], [0.9]]) is None
    assert median_above(0.49, 1, [[0.5], [0.5], [0.9]]) == 0.5


def test_of_a_shorter_run_all_epochs_count() -> None:
    assert median_above(0.2, 9, [[0.2, 0.4]]) == pytest.approx(0.3)
