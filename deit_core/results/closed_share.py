"""The share of a teacher's lead that runs closed, as a report and a page say it.

Knows runs; `deit_core.analysis` computes.
"""

from collections.abc import Mapping

from deit_core.analysis import ClosedShare, Pairing, closed_share
from deit_core.metrics import TEST_ACCURACY
from deit_core.runs import Run


def share_of_lead(pairing: Pairing, by_id: Mapping[str, Run]) -> ClosedShare:
    """On test images, of the teacher of each distilled run. Args: by_id: all runs of the store."""
    plain, distilled = zip(*pairing.pairs, strict=True)
    scores = {run_id: by_id[run_id].results[TEST_ACCURACY] for run_id in (*plain, *distilled)}
    teachers = [_teacher_score(by_id[run_id], by_id) for run_id in distilled]
    return closed_share([scores[one] for one in plain], [scores[one] for one in distilled], teachers)


def _teacher_score(run: Run, by_id: Mapping[str, Run]) -> float | None:
    """Of a teacher that was tested on the same images."""
    assert run.spec.distillation is not None
    teacher = by_id.get(run.spec.distillation.teacher)
    if teacher is None or teacher.spec.data.origin != run.spec.data.origin:
        return None
    return teacher.results.get(TEST_ACCURACY)


def share_words(share: ClosedShare) -> str:
    """Such as "40% (31% to 52%)", or why there is none."""
    if share.value is None:
        return f"none, as {share.reason}"
    if share.interval is None:
        return f"{share.value:.0%} ({share.reason})"
    low, high = share.interval
    return f"{share.value:.0%} ({low:.0%} to {high:.0%})"
