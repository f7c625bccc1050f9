"""Times side by side: each thing in turn, round by round, so that the machine's moods hit all alike."""

import statistics
import time
from collections.abc import Callable, Mapping

_LONG_S = 10.0  # a first round that takes longer is no warm-up but a measurement


def medians(things: Mapping[str, Callable[[], object]], *, budget_s: float, min_rounds: int = 3) -> dict[str, float]:
    """Seconds a call of each, the median over the rounds.

    Args:
        budget_s: after this long no further round begins.
        min_rounds: rounds at least, whatever they take. The first does not count unless it is long.
    """
    rounds = [_round(things)]
    if sum(rounds[0].values()) < _LONG_S:
        rounds.clear()
    began = time.perf_counter()
    while len(rounds) < min_rounds or time.perf_counter() - began < budget_s:
        rounds.append(_round(things))
    return {name: statistics.median(one[name] for one in rounds) for name in things}


def _round(things: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    times = {}
    for name, call in things.items():
        start = time.perf_counter()
        call()
        times[name] = time.perf_counter() - start
    return times
