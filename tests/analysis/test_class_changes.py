"""Gains and losses by class: counted by hand, and corrected for many classes as statsmodels does."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from deit_core.analysis.class_changes import change_words, class_changes

CLASSES = ("cat", "dog", "owl")


def decisions(labels: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.where(right, labels, (labels + 1) % 3)


@pytest.fixture
def by_hand() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten images of each class: of cats the second is right on all and the first on one, of dogs the first on one more,
    of owls both on the same five.
    """
    labels = np.repeat(np.arange(3), 10)
    first, second = np.zeros(30, bool), np.zeros(30, bool)
    first[:1], second[:10] = True, True
    first[10:16], second[10:15] = True, True
    first[20:25] = second[20:25] = True
    return labels, decisions(labels, first), decisions(labels, second)


def test_changes_by_hand(by_hand: tuple[np.ndarray, ...]) -> None:
    changes = class_changes(*by_hand)
    assert [(one.label, round(one.difference, 9)) for one in changes] == [(0, 0.9), (2, 0.0), (1, -0.1)]
    assert [one.p_value for one in changes] == pytest.approx([3 * 2 / 2**9, 1, 1])
    assert [one.can_tell for one in changes] == [True, False, False]


def test_changes_in_words(by_hand: tuple[np.ndarray, ...]) -> None:
    labels, first, second = by_hand
    said, chance = change_words(class_changes(labels, first, second), ("ViT", "DeiT"), CLASSES)
    assert said == (
        "Class by class, against ViT, DeiT gains most in 'cat' (10% to 100%) and loses most in 'dog' (60% to 50%)."
    )
    assert chance.startswith("In 1 of 3 classes the difference is more than chance explains: 'cat' (McNemar's exact")
    (same,) = change_words(class_changes(labels, first, first), ("ViT", "DeiT"), CLASSES)
    assert same == "ViT and DeiT are right equally often in every class."
    _, chance = change_words(class_changes(labels[10:], first[10:], second[10:]), ("ViT", "DeiT"), CLASSES)
    assert chance.startswith("Each of these differences can be chance (")


def test_the_correction_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, 4000)
    first, second = (np.where(rng.random(4000) < share, labels, 12) for share in (0.6, 0.66))
    changes = sorted(class_changes(labels, first, second), key=lambda one: one.label)
    plain = []
    for label in range(12):
        one, other = ((decided == label)[labels == label] for decided in (first, second))
        table = [[(one & other).sum(), (one & ~other).sum()], [(~one & other).sum(), (~one & ~other).sum()]]
        plain.append(mcnemar(table, exact=True).pvalue)
    told, corrected, *_ = multipletests(plain, method="holm")
    assert [one.p_value for one in changes] == pytest.approx(list(corrected), abs=1e-9)
    assert [one.can_tell for one in changes] == list(told)
    assert 0 < sum(told) < 12, "some can be told, and some not"
