"""The share of a teacher's lead that distillation closes: (distilled - plain) / (teacher - plain).

Plain numbers: knows no runs and no specs; loads no torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import covariance, fmean, variance

from deit_core.analysis.seeds import MIN_FOR_INTERVAL


@dataclass(frozen=True)
class ClosedShare:
    """Of means over seeds; `interval` is its 95% confidence interval. What is None is not known, and `reason` says why
    in words that end a sentence.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    reason: str = ""
    has_no_lead: bool = False  # the teacher is not better


def closed_share(plain: Sequence[float], distilled: Sequence[float], teacher: Sequence[float | None]) -> ClosedShare:
    """The share of the lead, from the accuracies of runs in the same order of seeds.

    The interval is Fieller's, of a ratio of means of paired numbers: it holds each ratio r for which the mean of
    (distilled - plain) - r (teacher - plain) does not differ from 0 by Student's test.

    Source: Fieller 1954, "Some problems in interval estimation".
    """
    leads = [score - own for score, own in zip(teacher, plain, strict=True) if score is not None]
    gains = [score - own for score, own in zip(distilled, plain, strict=True)]
    if len(leads) < len(gains):
        return ClosedShare(None, reason="the teacher's accuracy is not known")
    lead, gain, count = fmean(leads), fmean(gains), len(gains)
    if math.isclose(lead, 0, abs_tol=1e-12):
        return ClosedShare(None, reason="the teacher is not better", has_no_lead=True)
    if lead < 0:
        return ClosedShare(None, reason="the teacher is worse", has_no_lead=True)
    share = gain / lead
    if count < MIN_FOR_INTERVAL:
        return ClosedShare(share, reason=f"an interval needs {MIN_FOR_INTERVAL} seeds")
    from scipy.special import stdtrit  # here, since no page needs it to paint

    scale = float(stdtrit(count - 1, 0.975)) ** 2 / count
    square = lead**2 - scale * variance(leads)
    middle = gain * lead - scale * covariance(gains, leads)
    constant = gain**2 - scale * variance(gains)
    if square <= 0:
        return ClosedShare(share, reason="the seeds do not show that the teacher is better")
    half = math.sqrt(max(0.0, middle**2 - square * constant))
    return ClosedShare(share, ((middle - half) / square, (middle + half) / square))


def share_words(share: ClosedShare) -> str:
    """Such as "40% (31% to 52%)", or why there is none."""
    if share.value is None:
        return f"none, as {share.reason}"
    if share.interval is None:
        return f"{share.value:.0%} ({share.reason})"
    low, high = share.interval
    return f"{share.value:.0%} ({low:.0%} to {high:.0%})"
