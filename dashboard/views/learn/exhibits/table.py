"""The exhibit of each lesson: draws what there is to look at, and returns what its numbers say of the guess."""

from collections.abc import Callable

from dashboard.lessons.evidence import Answer
from dashboard.views.learn.exhibits import (
    bias,
    capstone,
    controls,
    distillation,
    localisation,
    skips,
    tokens,
    two_tokens,
)

EXHIBITS: dict[int, Callable[[], Answer | None]] = {
    1: tokens.draw,
    2: controls.draw,
    3: bias.draw,
    4: skips.draw,
    5: distillation.draw,
    6: two_tokens.draw,
    7: localisation.draw,
    8: capstone.draw,
}
