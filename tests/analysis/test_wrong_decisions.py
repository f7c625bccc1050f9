"""Where models are wrong: a made-up set counted by hand, and scikit-learn on random ones."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, recall_score

from deit_core.analysis import (
    class_accuracies,
    confusion,
    largest_class,
    rare_classes,
    who_is_right,
    worst_mistakes,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])
DECISIONS = np.array([0, 0, 1, 1, 0, 0])


def test_a_confusion_matrix_by_hand() -> None:
    assert confusion(LABELS, DECISIONS, 4).tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    difference = confusion(LABELS, LABELS, 3) - confusion(LABELS, DECISIONS, 3)
    assert difference.tolist() == [[1, -1, 0], [-1, 1, 0], [-1, 0, 1]]


def test_accuracies_by_class_by_hand() -> None:
    assert class_accuracies(LABELS, DECISIONS, 4) == pytest.approx([2 / 3, 1 / 2, 0, np.nan], nan_ok=True)


@pytest.mark.parametrize(("num_images", "num_classes"), [(1, 2), (50, 3), (5000, 10), (3000, 1000)])
def test_both_are_scikit_learns(num_images: int, num_classes: int) -> None:
    rng = np.random.default_rng(num_images)
    labels, decisions = rng.integers(num_classes, size=(2, num_images))
    names = np.arange(num_classes)
    assert np.array_equal(confusion(labels, decisions, num_classes), confusion_matrix(labels, decisions, labels=names))
    recalls = recall_score(labels, decisions, labels=names, average=None, zero_division=np.nan)
    np.testing.assert_allclose(class_accuracies(labels, decisions, num_classes), recalls, rtol=1e-9)


def test_classes_that_are_hardly_ever_decided_for() -> None:
    labels = np.repeat([0, 1, 2, 3, 4], [40, 40, 100, 19, 0])
    decisions = np.repeat([0, 1, 2, 3, 4], [100, 2, 0, 1, 96])
    assert rare_classes(labels, decisions, 6) == [(2, 100, 0), (1, 40, 2)]  # 3: once for 19; 4 and 5: not there
    assert rare_classes(labels, labels, 6) == []


def test_who_is_right_has_every_case_and_every_image_once() -> None:
    truth = np.array([0, 0, 0, 0, 1])
    teacher, vit, deit = np.array([0, 0, 0, 1, 0]), np.array([0, 1, 1, 1, 0]), np.array([0, 0, 1, 0, 0])
    cases = who_is_right(truth, [teacher, vit, deit])
    assert len(cases) == 8
    found = {case: images.tolist() for case, images in cases.items() if len(images)}
    assert found == {
        (True, True, True): [0],
        (True, False, True): [1],
        (True, False, False): [2],
        (False, False, True): [3],
        (False, False, False): [4],
    }
    assert sorted(np.concatenate(list(cases.values())).tolist()) == [0, 1, 2, 3, 4]


def test_the_worst_mistakes_come_first_with_their_probabilities() -> None:
    chances = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.98, 0.01, 0.01]])
    labels = np.array([0, 1, 2, 2])
    first, second, third = worst_mistakes(labels, np.log(chances))
    assert (first.image, first.label, first.decision) == (3, 2, 0)
    assert (first.probability, first.true_probability) == pytest.approx((0.98, 0.01))
    assert (second.image, third.image) == (2, 1)
    assert [one.image for one in worst_mistakes(labels, np.log(chances), limit=1)] == [3]
    for one in (first, second, third):
        loss = log_loss([one.label], chances[[one.image]], labels=[0, 1, 2])
        assert -np.log(one.true_probability) == pytest.approx(loss, abs=1e-9)


def test_without_mistakes_there_are_none() -> None:
    logits = np.eye(3, dtype=np.float32) * 1000  # float32 cannot hold the exponential of it
    labels = np.arange(3)
    assert worst_mistakes(labels, logits) == []
    assert np.trace(confusion(labels, logits.argmax(1), 3)) == 3
    assert class_accuracies(labels, labels, 3).tolist() == [1, 1, 1]


def test_the_largest_class_is_the_accuracy_of_always_deciding_for_it() -> None:
    label, share = largest_class(LABELS)
    assert (label, share) == (0, 0.5)
    assert share == accuracy_score(LABELS, np.full(6, label))
