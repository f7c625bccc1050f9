"""Times side by side: each thing in turn, round by round, so that the machine's moods hit all alike.

A GPU is waited for: what it was asked to do counts until it is done.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch

_LONG_S = 10.0  # of a round: then the first is no warm-up but a measurement, and the second the last
_BLOCK = 10  # quick calls in a row: what the thing before left behind, in caches and heap, is over after a few


def medians(things: Mapping[str, Callable[[], object]], *, budget_s: float, min_rounds: int = 3) -> dict[str, float]:
    """Seconds a call of each, the median over the rounds.

    Args:
        budget_s: after this long no further round begins.
        min_rounds: rounds at least. The first does not count; of long rounds two are enough, the first among them.
    """
    rounds = [_round(things)]
    if sum(rounds[0].values()) < _LONG_S:
        rounds.clear()
    else:
        min_rounds = 2
    began = time.perf_counter()
    while len(rounds) < min_rounds or time.perf_counter() - began < budget_s:
        rounds.append(_round(things))
    return {name: statistics.median(one[name] for one in rounds) for name in things}


def _round(things: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    return {name: _block(call) for name, call in things.items()}


def _block(call: Callable[[], object]) -> float:
    """Seconds of one call, or of the median of a block where a call is quick."""
    times = [seconds_of(call)]
    if times[0] < 1:
        times += [seconds_of(call) for _ in range(_BLOCK - 1)]
    return statistics.median(times)


def median_ratio(values: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """The median of the rounds' ratios, between the ends of its 95 % interval: sign test, normal approximation."""
    ratios = sorted(value / other for value, other in zip(values, others, strict=True))
    reach = round(1.96 * len(ratios) ** 0.5 / 2)
    middle = len(ratios) // 2
    return ratios[middle - reach], statistics.median(ratios), ratios[middle + reach]


def seconds_of(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - start
