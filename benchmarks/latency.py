"""How long many calls of one thing take, as a table has it."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

BUDGET_S = 2.0


class Seconds(NamedTuple):
    """Of one call: as a clock counts them, and those in which its thread had a processor."""

    clock: float
    processor: float


def seconds_of_calls(call: Callable[[], object], budget_s: float = BUDGET_S) -> list[Seconds]:
    """Three calls at least, for as long as the budget lasts. The first does not count."""
    call()
    seconds: list[Seconds] = []
    ends_at = time.perf_counter() + budget_s
    while len(seconds) < 3 or time.perf_counter() < ends_at:
        seconds.append(seconds_of(call))
    return seconds


def seconds_of(call: Callable[[], object]) -> Seconds:
    began = time.perf_counter(), time.thread_time()
    call()
    return Seconds(time.perf_counter() - began[0], time.thread_time() - began[1])


def percentiles(seconds: Sequence[Seconds]) -> dict[str, object]:
    """The columns of a table: milliseconds, median and p95, and the median on a processor, which says more on a busy
    machine.
    """
    clock = [each.clock for each in seconds]
    return {
        "median_ms": round(1000 * statistics.median(clock), 2),
        "p95_ms": round(1000 * statistics.quantiles(clock, n=20, method="inclusive")[-1], 2),
        "processor_ms": round(1000 * statistics.median(each.processor for each in seconds), 2),
    }
