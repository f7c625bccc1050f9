"""A model looks the same in every figure: a colour by role, and a sign beside it."""

from itertools import combinations

import pytest

from deit_core.presets import digits_quick
from deit_core.results.role_looks import look_of, looks

PARTS = [("teacher", ""), ("ViT", ""), ("DeiT", ""), ("DeiT", "class"), ("DeiT", "distillation")]


def test_each_role_and_head_has_a_colour_and_a_marker_of_its_own() -> None:
    found = [look_of(role, 0, head) for role, head in PARTS]
    assert len({one.colour for one in found}) == len({one.symbol for one in found}) == len(PARTS)


def test_bars_of_any_two_models_differ_in_their_pattern() -> None:
    teacher, vit, deit = digits_quick().runs
    for pair in combinations((teacher, vit, vit, deit, deit), 2):
        first, second = looks(pair)
        assert first.pattern != second.pattern


def test_a_role_that_comes_again_keeps_its_colour() -> None:
    _, vit, deit = digits_quick().runs
    first, other, second = looks([vit, deit, vit])
    assert first.colour == second.colour != other.colour
    assert (first.dash, other.dash, second.dash) == ("solid", "solid", "dash")


@pytest.mark.parametrize("page", ["#ffffff", "#171614"])
@pytest.mark.parametrize(("role", "head"), PARTS)
def test_colours_stand_out_in_light_and_in_dark(role: str, head: str, page: str) -> None:
    lighter, darker = sorted(map(luminance, (look_of(role, 0, head).colour, page)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
