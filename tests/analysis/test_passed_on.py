"""What a teacher passed on, in sentences, on decisions that can be counted by hand."""

import numpy as np
import pytest

from deit_core.analysis import PassedOn, passed_on

LABELS = np.zeros(100, np.int64)


def decisions(wrong: range, answer: int = 1) -> np.ndarray:
    return np.where(np.isin(np.arange(100), wrong), answer, LABELS)


def found(vit: np.ndarray, deit: np.ndarray, teacher: np.ndarray) -> PassedOn:
    return passed_on(LABELS, ("CNN", teacher), {"ViT": vit, "DeiT": deit})


def test_a_student_with_more_of_the_mistakes_is_named() -> None:
    """Of the CNN's 20 mistakes DeiT makes 15 and ViT 5 the same way; ViT is wrong on 30 others."""
    words = found(decisions(range(5)) + decisions(range(50, 80), 2), decisions(range(15)), decisions(range(20)))
    assert words.agreement.accuracies == (0.55, 0.95)
    first, second, conclusion = words.sentences
    assert first.startswith("DeiT decides as CNN does on 95.0% of the images and ViT on 55.0%: 40.0 points apart (95%")
    assert second.startswith("Of the 20 images that CNN gets wrong, DeiT makes the same mistake on 75% and ViT on 25%")
    assert second.endswith("p = 0.002), hardly chance.")
    assert conclusion == "So DeiT has taken over mistakes too: it shares more of them with CNN than ViT does."


def test_a_difference_that_can_be_chance_is_no_finding() -> None:
    words = found(decisions(range(5)), decisions(range(2, 8)), decisions(range(20)))
    assert words.sentences[1].endswith("which can be chance.")
    assert words.sentences[2].startswith("So these images do not show that either student takes over more")


@pytest.mark.parametrize("wrong", [0, 3])
def test_a_teacher_without_mistakes_has_none_to_repeat(wrong: int) -> None:
    words = found(decisions(range(wrong)), decisions(range(wrong)), LABELS)
    assert words.sentences[0].startswith(f"DeiT decides as CNN does on {100 - wrong}.0% of the images")
    assert "no difference" in words.sentences[0]
    assert words.sentences[1:] == ["CNN makes no mistake on these images, so there is none to repeat."]
