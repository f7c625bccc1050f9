"""The share of a teacher's lead that runs closed.

Knows runs; `deit_core.analysis` computes.
"""

from collections.abc import Mapping

from deit_core.analysis import ClosedShare, Pairing, closed_share
from deit_core.metrics import TEST_ACCURACY
from deit_core.runs import Run


def share_of_lead(pairing: Pairing, by_id: Mapping[str, Run], score: str = TEST_ACCURACY) -> ClosedShare:
    """Of the teacher of each distilled run.

    Args:
        by_id: all runs of the store.
        score: the accuracy that counts.
    """
    plain, distilled = zip(*pairing.pairs, strict=True)
    scores = {run_id: by_id[run_id].results[score] for run_id in (*plain, *distilled)}
    teachers = [_teacher_score(by_id[run_id], by_id, score) for run_id in distilled]
    return closed_share([scores[one] for one in plain], [scores[one] for one in distilled], teachers)


def _teacher_score(run: Run, by_id: Mapping[str, Run], score: str) -> float | None:
    """Of a teacher that was tested on the same images."""
    assert run.spec.distillation is not None
    teacher = by_id.get(run.spec.distillation.teacher)
    if teacher is None or teacher.spec.data.origin != run.spec.data.origin:
        return None
    return teacher.results.get(score)
