"""How time and memory grow with the work: images, tokens, classes, layers, files, runs, points.

Each is measured at growing sizes, until one takes longer than the limit. What it costs grows about as a power of the
size; the exponent is fitted to the three largest sizes, a straight line through logarithms. A call that grows faster
than its work is marked.
"""

from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.growth.chart import Series, draw
from benchmarks.growth.children import Children, Cost

_LIMIT_S, _LONG_LIMIT_S = 8, 120  # of the processor, for one size, preparing included
_FITTED = 3  # sizes
_SEEN_S, _SEEN_MB = 1e-3, 8.0  # below, what is measured is mostly noise and the interpreter
_TOLERANCE = 0.25  # of an exponent: caches that overflow, and logarithms of sorting


class Growth(NamedTuple):
    """`work` is the exponent of the work itself, by its algorithm; `long_sizes` come after `sizes`."""

    axis: str
    name: str  # of a function in subjects.py
    work: float
    sizes: Sequence[int]
    long_sizes: Sequence[int] = ()


_IMAGES, _MANY_IMAGES = (1000, 10_000, 100_000), (1_000_000,)
_TOKENS = (17, 65, 257, 1025)
_CLASSES = (10, 100, 1000)
_LAYERS = (2, 8, 32)
_FILES, _MANY_FILES = (100, 1000, 5000), (20_000, 100_000)
_RUNS = (100, 1000, 10_000)
_POINTS, _MANY_POINTS = (1000, 10_000, 100_000), (1_000_000,)

GROWTHS = (
    *(Growth("images", name, 1, _IMAGES, _MANY_IMAGES) for name in ("load_images", "epoch_of_views", "evaluation")),
    Growth("images", "logits_of_views", 1, _IMAGES),
    Growth("tokens", "training_step", 2, _TOKENS),
    Growth("tokens", "attention_given", 2, _TOKENS),
    Growth("tokens", "slider_prepared", 2, _TOKENS),
    Growth("tokens", "slider_moved", 2, _TOKENS),
    Growth("tokens", "layers_multiplied", 3, _TOKENS),
    *(Growth("classes", name, 1, _CLASSES) for name in ("evaluation_of_classes", "logits_of_classes", "soft_loss")),
    Growth("classes", "stratified", 0, _CLASSES),
    *(Growth("layers", name, 1, _LAYERS) for name in ("step_of_layers", "muon_of_layers", "slider_of_layers")),
    *(Growth("files", name, 1, _FILES, _MANY_FILES) for name in ("folder_listed", "folder_recognised")),
    *(Growth("files", name, 1, _FILES, _MANY_FILES[:1]) for name in ("folder_read_first", "folder_decoded")),
    Growth("runs", "runs_listed", 1, _RUNS),
    *(Growth("runs", name, 0, _RUNS) for name in ("run_found", "run_claimed", "run_submitted")),
    Growth("points", "points_read", 1, _POINTS, _MANY_POINTS),
    Growth("points", "news_read", 0, _POINTS, _MANY_POINTS),
    Growth("points", "curve_drawn", 1, _POINTS, _MANY_POINTS),
    Growth("points", "curve_file_read", 1, _POINTS, _MANY_POINTS),
)


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """A row for each; its chart goes to growth.svg next to the results."""
    children = Children("benchmarks.growth.subjects")
    series = []
    for growth in GROWTHS:
        sizes = (*growth.sizes, *growth.long_sizes) if long else growth.sizes
        costs = _costs(children, growth.name, sizes, _LONG_LIMIT_S if long else _LIMIT_S)
        row = _row(growth, sizes, costs)
        seconds = {size: cost.seconds for size, cost in zip(sizes, costs, strict=False)}
        series.append(Series(growth.axis, growth.name, seconds))
        yield row
    draw(series, Path(__file__).parents[1] / "results" / "growth.svg")


def _costs(children: Children, name: str, sizes: Sequence[int], limit_s: int) -> list[Cost]:
    """By size, up to the first that takes longer than the limit."""
    costs: list[Cost] = []
    for size in sizes:
        if (cost := children.measure(name, size, limit_s)) is None:
            break
        costs.append(cost)
    return costs


def _row(growth: Growth, sizes: Sequence[int], costs: Sequence[Cost]) -> dict[str, object]:
    measured = sizes[: len(costs)]
    by_time = exponent(measured, [cost.seconds for cost in costs], least=_SEEN_S)
    by_memory = exponent(measured, [cost.megabytes for cost in costs], least=_SEEN_MB)
    grows_faster = any(found is not None and found > growth.work + _TOLERANCE for found in (by_time, by_memory))
    return {
        "axis": growth.axis,
        "what": growth.name,
        "sizes": list(measured),
        "ms": [float(f"{1000 * cost.seconds:.3g}") for cost in costs],
        "mb": [round(cost.megabytes, 1) for cost in costs],
        "work": growth.work,
        "time": by_time,
        "memory": by_memory,
        "fitted_from": measured[-_FITTED:][0] if measured else None,
        "faster_than_work": grows_faster,
        **({"too_long_at": sizes[len(costs)]} if len(costs) < len(sizes) else {}),
    }


def exponent(sizes: Sequence[int], values: Sequence[float], *, least: float) -> float | None:
    """The exponent of growth over the three largest sizes; None of fewer, or of values below `least`."""
    if len(sizes) < _FITTED or values[-1] < least:
        return None
    x, y = np.log(sizes[-_FITTED:]), [log(max(value, 1e-9)) for value in values[-_FITTED:]]
    return round(float(np.polyfit(x, y, 1)[0]), 2)
