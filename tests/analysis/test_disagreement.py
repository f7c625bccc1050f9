"""What a teacher passes on: the arithmetic of the paper's table 4 on a set that can be counted, and SciPy's ranks."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import zero_one_loss

from deit_core.analysis import (
    PAPERS_DISAGREEMENT,
    TRUTH,
    Paired,
    dark_knowledge,
    disagreement,
    inherited,
    more_inherited,
    soft_labels,
)

# Ten images of classes 0 to 2. The teacher is wrong on the last four.
DECISIONS = {
    TRUTH: np.array([0, 0, 1, 1, 2, 2, 0, 1, 2, 2]),
    "convnet": np.array([0, 0, 1, 1, 2, 2, 1, 2, 0, 1]),
    "DeiT": np.array([0, 1, 1, 0, 2, 2, 1, 1, 1, 2]),
    "both": np.array([0, 0, 1, 1, 2, 1, 1, 2, 2, 0]),
}


def test_who_disagrees_with_whom_by_hand() -> None:
    expected = [[0, 4, 4, 4], [4, 0, 5, 3], [4, 5, 0, 6], [4, 3, 6, 0]]
    assert disagreement(DECISIONS) == pytest.approx(np.array(expected) / 10)


def test_disagreement_with_the_truth_is_the_error() -> None:
    rng = np.random.default_rng(0)
    decisions = {name: rng.integers(1000, size=4000) for name in (TRUTH, "a", "b")}
    found = disagreement(decisions)
    for row, one in enumerate(decisions.values()):
        for column, other in enumerate(decisions.values()):
            assert found[row, column] == pytest.approx(zero_one_loss(one, other), abs=1e-9)


def test_the_papers_table_has_each_pair_once() -> None:
    names = {name for pair in PAPERS_DISAGREEMENT for name in pair}
    assert names == {TRUTH, "convnet", "DeiT", "class", "distillation", "both"}
    assert len({frozenset(pair) for pair in PAPERS_DISAGREEMENT}) == len(PAPERS_DISAGREEMENT) == 6 * 5 / 2


def test_inherited_mistakes_by_hand() -> None:
    """On images 6 to 9 the teacher says 1 2 0 1: the ViT repeats the first, DeiT the first two."""
    truth, teacher, vit, deit = DECISIONS.values()
    found = inherited(truth, teacher, vit)
    assert (found.same, found.other, found.right, found.share) == (1, 1, 2, 0.25)
    found = inherited(truth, teacher, deit)
    assert (found.same, found.other, found.right, found.share) == (2, 1, 1, 0.5)
    more = more_inherited(truth, teacher, vit, deit)
    assert more == Paired(both=1, only_first=0, only_second=1, neither=2)
    assert more.difference == 0.25


def test_a_teacher_without_mistakes_has_none_to_inherit() -> None:
    truth, _, vit, deit = DECISIONS.values()
    assert inherited(truth, truth, vit).share is None
    assert more_inherited(truth, truth, vit, deit) is None


def test_a_student_that_is_its_teacher_inherits_all() -> None:
    truth, teacher, *_ = DECISIONS.values()
    assert inherited(truth, teacher, teacher).share == 1


def test_soft_labels_by_hand() -> None:
    chances = np.array([[0.5, 0.3, 0.2], [0.7, 0.1, 0.2], [0.1, 0.8, 0.1]])
    found = soft_labels(np.array([0, 0, 1]), np.log(chances))
    assert found[:2] == pytest.approx(np.array([[0.6, 0.2, 0.2], [0.1, 0.8, 0.1]]))
    assert np.isnan(found[2]).all()


def test_the_temperature_of_the_note() -> None:
    """Its table: [30, 5, 2, 2] at T = 10."""
    found = soft_labels(np.zeros(1, int), np.array([[30.0, 5.0, 2.0, 2.0]]), temperature=10)
    assert found[0] == pytest.approx([0.8308, 0.0682, 0.0505, 0.0505], abs=5e-5)


@pytest.mark.parametrize("num_classes", [3, 10, 1000])
def test_the_rank_correlation_is_scipys_over_the_other_classes(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    labels = np.arange(num_classes).repeat(2)
    logits = rng.normal(size=(2, len(labels), num_classes)).round(1)  # so that there are ties
    teacher, student = (soft_labels(labels, one) for one in logits)
    found = dark_knowledge(teacher, student)
    for label in range(0, num_classes, max(1, num_classes // 20)):
        others = np.arange(num_classes) != label
        assert found.by_class[label] == pytest.approx(
            spearmanr(teacher[label, others], student[label, others]).statistic, abs=1e-9
        )
    assert found.mean == pytest.approx(found.by_class.mean(), abs=1e-12)


def test_what_cannot_be_ranked_has_no_correlation() -> None:
    two = soft_labels(np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert dark_knowledge(two, two).mean is None
    labels, logits = np.array([0, 0, 1]), np.array([[4.0, 2.0, 1.0, 0.0], [4.0, 2.0, 1.0, 0.5], [9.0, 9.0, 9.0, 9.0]])
    same = dark_knowledge(*[soft_labels(labels, logits)] * 2)
    assert same.by_class == pytest.approx([1, np.nan, np.nan, np.nan], nan_ok=True)  # equal ranks; no image
    assert same.mean == pytest.approx(1)
