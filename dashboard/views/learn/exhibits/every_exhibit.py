"""The exhibit of each lesson: draws what there is to look at, and returns what its numbers say of the guess."""

from collections.abc import Callable

from dashboard.lessons.evidence import Answer
from dashboard.views.learn.exhibits import (
    bias,
    capstone,
    on_the_digit,
    skips,
    teacher_strength,
    tokens,
    two_tokens,
    worked_picture,
)

EXHIBITS: dict[int, Callable[[], Answer | None]] = {
    1: tokens.draw,
    2: worked_picture.draw,
    3: bias.draw,
    4: skips.draw,
    5: teacher_strength.draw,
    6: two_tokens.draw,
    7: on_the_digit.draw,
    8: capstone.draw,
}
