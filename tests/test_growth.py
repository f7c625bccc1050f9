"""The benchmark of growth: its fit, and that each of its calls still works."""

from pathlib import Path

import pytest

from benchmarks.growth import GROWTHS, Growth, exponent, subjects


@pytest.mark.parametrize("power", [0, 0.5, 1, 2.5])
def test_the_exponent_is_that_of_the_three_largest_sizes(power: float) -> None:
    sizes = (1, 10, 100, 1000)
    seconds = [5.0, *(0.1 * size**power for size in sizes[1:])]  # whatever a start costs is left out
    assert exponent(sizes, seconds, least=0.001) == pytest.approx(power)


def test_there_is_none_of_two_sizes_or_of_what_is_too_small_to_see() -> None:
    assert exponent((10, 100), [1.0, 2.0], least=0.0) is None
    assert exponent((10, 100, 1000), [1e-6, 1e-5, 1e-4], least=1e-3) is None


@pytest.mark.parametrize("growth", GROWTHS, ids=[growth.name for growth in GROWTHS])
def test_each_call_works(growth: Growth, tmp_path: Path) -> None:
    getattr(subjects, growth.name)(growth.sizes[0], tmp_path)()
