"""Two models on the same images: counted by hand, against statsmodels and SciPy, and by simulation."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from deit_core.analysis import Paired, paired

# Of 12 images 4 are right in both, 1 in the first alone, 5 in the second alone, 2 in neither.
FIRST = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], bool)
SECOND = np.array([1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0], bool)


def test_the_counts_by_hand() -> None:
    found = paired(FIRST, SECOND)
    assert found == Paired(both=4, only_first=1, only_second=5, neither=2)
    assert found.num_images == 12
    assert found.accuracies == (5 / 12, 9 / 12)
    assert found.difference == pytest.approx(4 / 12)
    assert found.p_value == pytest.approx(2 * (1 + 6) / 2**6)  # of 6 coins at most one heads, or at most one tails
    assert not found.can_tell


@pytest.mark.parametrize(
    ("only_first", "only_second"),
    [(0, 0), (0, 1), (0, 5), (0, 6), (3, 3), (4, 9), (9, 4), (17, 40), (500, 600), (1234, 1100), (0, 3000)],
)
def test_mcnemars_test_is_statsmodels_and_scipys(only_first: int, only_second: int) -> None:
    found = Paired(100, only_first, only_second, 7)
    table = [[100, only_first], [only_second, 7]]
    assert found.p_value == pytest.approx(mcnemar(table, exact=True).pvalue, rel=1e-9, abs=1e-300)
    if only_first + only_second:
        exact = stats.binomtest(only_first, only_first + only_second).pvalue
        assert found.p_value == pytest.approx(exact, rel=1e-9, abs=1e-300)
    assert found.can_tell == (found.p_value < 0.05)


def test_the_bootstrap_is_one_over_images() -> None:
    """Against images that are drawn one by one; and its ends are those of 10,000 draws with its seed."""
    rng = np.random.default_rng(3)
    first, second = rng.random(400) < 0.8, rng.random(400) < 0.85
    found = paired(first, second)
    drawn = rng.integers(400, size=(10_000, 400))
    gains = second.astype(int) - first.astype(int)
    assert found.interval() == pytest.approx(np.percentile(gains[drawn].mean(axis=1), (2.5, 97.5)), abs=0.004)
    shares = [found.only_second / 400, found.only_first / 400, (found.both + found.neither) / 400]
    counts = np.random.default_rng(5).multinomial(400, shares, size=10_000)
    by_hand = np.quantile((counts[:, 0] - counts[:, 1]) / 400, [0.025, 0.975])
    assert found.interval(seed=5) == pytest.approx(by_hand, abs=1e-9)
    assert found.interval() == found.interval()
    assert found.interval(seed=1) != found.interval(seed=2)


def test_the_images_needed_are_connors() -> None:
    """With 10 % of the images right in one alone and 5 % in the other: z is 1.96 for 5 % and 0.84 for 80 %."""
    found = Paired(250, 15, 30, 5)
    discordant, gain = 0.15, 0.05
    level, power = stats.norm.ppf([0.975, 0.8])
    expected = (level * discordant**0.5 + power * (discordant - gain**2) ** 0.5) ** 2 / gain**2
    assert found.images_needed == int(np.ceil(expected)) == 469


def test_so_many_images_tell_four_times_of_five() -> None:
    needed = Paired(250, 15, 30, 5).images_needed
    assert needed is not None
    counts = np.random.default_rng(0).multinomial(needed, [0.05, 0.1, 0.85], size=2000)
    told = [Paired(0, int(one), int(other), 1).can_tell for one, other, _ in counts]
    assert np.mean(told) == pytest.approx(0.8, abs=0.05)  # the exact test tells a little less often than the formula


def test_the_order_of_the_models_changes_signs_alone() -> None:
    one, other = paired(FIRST, SECOND), paired(SECOND, FIRST)
    assert one.difference == -other.difference
    assert (one.p_value, one.images_needed) == (other.p_value, other.images_needed)


def test_the_same_model_twice_differs_in_nothing() -> None:
    found = paired(FIRST, FIRST)
    assert (found.difference, found.p_value, found.images_needed) == (0, 1, None)
    assert found.interval() == (0, 0)


def test_one_image_tells_nothing() -> None:
    found = paired(np.array([False]), np.array([True]))
    assert (found.difference, found.p_value, found.can_tell) == (1, 1, False)
    assert found.images_needed == 6  # the exact test needs six that only one is right on: 2 / 2^6 is below 5 %
