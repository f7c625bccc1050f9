"""What the canvas hears from the browser, and how a drawing becomes pixels."""

from typing import Any

import numpy as np
import pytest

from dashboard.components.canvas import MAX_POINTS, SIDE, THICKNESS, paint, read_strokes


def test_strokes_are_read() -> None:
    assert read_strokes([[[0, 280], [5, 6]], [[1, 2]]]) == (((0, 280), (5, 6)), ((1, 2),))
    assert read_strokes([]) == ()


@pytest.mark.parametrize(
    "sent",
    [
        None,
        7,
        "words",
        [[]],
        [[[1, 2, 3]]],
        [[[1, SIDE + 1]]],
        [[[-1, 2]]],
        [[[1.5, 2]]],
        [[[float("nan"), 2]]],
        [[[True, 2]]],
        [[["1", "2"]]],
        [[[1, 2]] * (MAX_POINTS + 1)],
    ],
)
def test_what_is_no_drawing_is_not_heard(sent: Any) -> None:
    assert read_strokes(sent) is None


def test_a_stroke_is_white_on_black() -> None:
    picture = paint((((140, 40), (140, 240)),))
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture[140, 140].tolist() == [255, 255, 255]
    assert picture[140, 20].tolist() == [0, 0, 0]
    wide = (picture[140, :, 0] > 127).sum()
    assert abs(wide - THICKNESS) <= 2
    assert not paint(()).any()


def test_one_point_is_a_dot() -> None:
    white = np.argwhere(paint((((100, 60),),))[..., 0] > 127)
    assert white.mean(axis=0) == pytest.approx((60, 100), abs=0.5)  # row, column
    assert np.ptp(white, axis=0) == pytest.approx((THICKNESS, THICKNESS), abs=2)
