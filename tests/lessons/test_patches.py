"""Patches: cutting and putting together are inverse, an order moves whole patches, a move keeps every pixel."""

import numpy as np
import pytest

from deit_core.errors import DeitError
from deit_core.lessons.patches import cut, moved, put_together, random_order, shuffled

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 3, 12, 12)).astype(np.uint8)


def test_what_is_cut_is_put_together_again() -> None:
    patches = cut(IMAGES, 4)
    assert patches.shape == (2, 9, 3, 4, 4)
    np.testing.assert_array_equal(patches[1, 5], IMAGES[1, :, 4:8, 8:12])
    np.testing.assert_array_equal(put_together(patches), IMAGES)


def test_an_order_moves_whole_patches() -> None:
    mixed, order = cut(shuffled(IMAGES, 4, seed=7), 4), random_order(9, seed=7)
    np.testing.assert_array_equal(mixed, cut(IMAGES, 4)[:, order])
    assert sorted(order) == list(range(9))


def test_a_move_by_the_whole_width_changes_nothing() -> None:
    np.testing.assert_array_equal(moved(IMAGES, 12), IMAGES)
    np.testing.assert_array_equal(moved(IMAGES, 2)[..., 2:], IMAGES[..., :-2])


def test_patches_that_do_not_divide_an_image_are_refused() -> None:
    with pytest.raises(DeitError, match="Patches of 5 px do not divide images of 12 px"):
        cut(IMAGES, 5)
