"""A map in a sentence: counted by hand on small pictures."""

import numpy as np
import pytest

from deit_core.attention.drawing.map_words import map_in_words, map_numbers


def picture(*bright: tuple[int, int]) -> np.ndarray:
    """(1, 8, 8) of 2 x 2 patches, black but for whole patches."""
    pixels = np.zeros((1, 8, 8), np.uint8)
    for row, column in bright:
        pixels[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 200
    return pixels


def test_the_fewest_patches_that_hold_half() -> None:
    values = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    numbers = map_numbers(values, picture((1, 1)))
    assert numbers is not None
    assert (numbers.num_few, numbers.num_patches) == (2, 4)  # 0.4 + 0.3, as 0.4 alone is less than half
    assert numbers.on_bright == pytest.approx(0.4)
    assert numbers.bright == 0.25
    assert map_in_words(values, picture((1, 1))) == (
        "half of it comes from 2 of 4 patches, and 40% of it lies on the bright part of the picture, which is 25% of "
        "its area"
    )


def test_a_patch_that_is_bright_in_part_counts_in_part() -> None:
    pixels = picture((0, 0))
    pixels[0, :2] = 0
    numbers = map_numbers(np.array([[1, 0], [0, 1]], np.float32), pixels)
    assert numbers is not None
    assert numbers.on_bright == pytest.approx(0.5 * 0.5)
    assert numbers.bright == pytest.approx(0.125)


def test_a_map_of_any_scale_says_the_same() -> None:
    values = np.random.default_rng(0).random((2, 2)).astype(np.float32)
    assert map_numbers(values, picture((0, 1))) == pytest.approx(map_numbers(7 * values, picture((0, 1))), abs=1e-6)


def test_one_patch_can_hold_it_all() -> None:
    numbers = map_numbers(np.array([[0, 0], [0, 5]], np.float32), picture((1, 1)))
    assert numbers == (1, 4, 1.0, 0.25)


def test_a_map_of_nothing_says_so() -> None:
    assert map_in_words(np.zeros((2, 2), np.float32), picture((0, 0))) == "nothing reaches the patches"
