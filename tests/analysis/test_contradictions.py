"""Where a teacher contradicts the label, on views that can be counted by hand."""

import numpy as np

from deit_core.analysis import Contradictions, contradictions, contradicts

#                 right  wrong  one of both  the other of both  neither  wrong
DECIDED = np.array([0, 1, 2, 1, 0, 2])
LABELS = np.array([0, 0, 2, 2, 2, 1])
OTHERS = np.array([-1, -1, 1, 1, 1, -1])


def test_of_two_labels_both_must_be_contradicted() -> None:
    assert contradicts(DECIDED, LABELS, OTHERS).tolist() == [False, True, False, False, True, True]


def test_views_are_counted() -> None:
    found = contradictions(DECIDED, LABELS, OTHERS)
    assert found == Contradictions(num_views=6, contradicted=3, num_mixed=3, contradicted_mixed=1)
    assert found.share == 0.5


def test_without_a_view_there_is_no_share() -> None:
    none = np.zeros(0, np.int64)
    assert contradictions(none, none, none) is None
