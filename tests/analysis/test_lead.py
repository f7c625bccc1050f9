"""The share of the lead closed: by hand, and its interval against Student's test."""

import pytest
from scipy.stats import ttest_1samp

from deit_core.analysis import ClosedShare, closed_share


def test_a_share_by_hand() -> None:
    assert closed_share([0.80], [0.84], [0.90]).value == pytest.approx(0.4)
    assert closed_share([0.80, 0.82], [0.84, 0.84], [0.90, 0.92]).value == pytest.approx(0.3)
    assert closed_share([0.80], [0.78], [0.90]).value == pytest.approx(-0.2)


def test_a_lead_of_the_same_size_in_each_seed_gives_students_interval() -> None:
    """Gains 4, 5 and 6 of a lead of 10: mean 0.5, and t(2) = 4.3027 times 0.1 / sqrt(3)."""
    found = closed_share([80.0, 80.0, 80.0], [84.0, 85.0, 86.0], [90.0, 90.0, 90.0])
    assert found.value == pytest.approx(0.5)
    assert found.interval == pytest.approx((0.5 - 0.24841, 0.5 + 0.24841), abs=1e-5)


def test_at_its_ends_students_test_is_at_five_percent() -> None:
    plain, distilled, teacher = [80.0, 82.1, 79.5, 81.0], [84.0, 85.2, 84.9, 84.1], [90.0, 91.5, 90.2, 89.3]
    found = closed_share(plain, distilled, teacher)
    assert found.interval is not None
    assert found.value is not None
    assert found.interval[0] < found.value < found.interval[1]
    for ratio in found.interval:
        rest = [d - p - ratio * (t - p) for p, d, t in zip(plain, distilled, teacher, strict=True)]
        assert ttest_1samp(rest, 0).pvalue == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("teacher", "reason"),
    [
        ([0.8, None, 0.9], "the teacher's accuracy is not known"),
        ([0.8, 0.8, 0.8], "the teacher is not better"),
        ([0.7, 0.7, 0.7], "the teacher is worse"),
    ],
)
def test_without_a_lead_it_is_said(teacher: list[float | None], reason: str) -> None:
    found = closed_share([0.8, 0.8, 0.8], [0.85, 0.86, 0.87], teacher)
    assert found == ClosedShare(None, reason=reason, has_no_lead=None not in teacher)


def test_an_interval_needs_three_seeds_and_a_lead_that_is_sure() -> None:
    assert closed_share([0.8, 0.8], [0.85, 0.85], [0.9, 0.9]).reason == "an interval needs 3 seeds"
    unsure = closed_share([0.80, 0.88, 0.84], [0.85, 0.86, 0.87], [0.89, 0.86, 0.84])
    assert unsure.value is not None
    assert unsure.interval is None
    assert unsure.reason == "the seeds do not show that the teacher is better"
