"""The text of the Compare page: tables of results and of settings, and sentences on how to read them.

Text for markdown is escaped here where it is put together. Knows runs; no widgets.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from dashboard.run_status import label
from dashboard.state import facts
from dashboard.text import escape
from deit_core.analysis import Mismatch, chance_margin, differences, mismatches
from deit_core.analysis.cost import flops_per_image
from deit_core.errors import DataError
from deit_core.metrics import (
    BEST_EPOCH,
    BEST_VAL_ACCURACY,
    IMAGES_PER_S,
    METRICS,
    NUM_PARAMS,
    TEST_ACCURACIES,
    TEST_ACCURACY,
    TEST_LOSS,
    TRAIN_TIME_S,
    VAL_ACCURACY,
    Metric,
    Unit,
)
from deit_core.runs import Point, Run
from deit_core.spec import SEARCH_TAG
from deit_core.wording import duration

Columns = dict[str, Sequence[str]]  # of a table, by their titles


def fairness(first: Run, other: Run) -> list[str]:
    """One sentence for each reason why a comparison of the two is not fair; none when it is fair, or when a search
    without a teacher has varied what differs.
    """
    if _are_trials([first, other]):
        return []
    by_reason: dict[str, list[Mismatch]] = {}
    for mismatch in mismatches(first.spec, other.spec):
        by_reason.setdefault(mismatch.reason, []).append(mismatch)
    return [f"{', '.join(map(_named, group))}: {reason}." for reason, group in by_reason.items()]


def fair(runs: Sequence[Run]) -> str:
    """What runs without a reason in `fairness` have in common."""
    if _are_trials(runs):
        return "Runs of one search. What it has varied is below, under *Settings that differ*."
    seed = "same seed," if len({run.spec.seed for run in runs}) == 1 else "seed by seed the same"
    only = " Only the distillation may differ." if any(run.spec.distillation for run in runs) else ""
    return f"A fair comparison: {seed} data, recipe and augmentation.{only}"


def _are_trials(runs: Sequence[Run]) -> bool:
    """Whether these are runs of one search, all without a teacher."""
    is_search = all(SEARCH_TAG in run.spec.tags and run.spec.distillation is None for run in runs)
    return is_search and len({run.experiment_id for run in runs}) == 1


def chance(runs: Sequence[Run]) -> str:
    """By how much two test accuracies may differ by chance; empty without two on the same images."""
    scored = [run for run in runs if TEST_ACCURACY in run.results]
    if len(scored) < 2 or len({run.spec.data.origin for run in scored}) > 1:
        return ""
    try:
        num_images = facts(scored[0].spec.data.model_dump_json()).num_test
    except DataError:  # a folder that was removed
        return ""
    first, *others = (run.results[TEST_ACCURACY] for run in scored)
    margin = max(chance_margin((first, other), num_images) for other in others)
    return (
        f"With {num_images:,} test images, a difference of less than {100 * margin:.1f} percentage points in test "
        "accuracy can be chance."
    )


def result_table(runs: Sequence[Run], points_of: Callable[[Run], Sequence[Point]]) -> Columns:
    """The results: one row per metric, one column per run, with the difference from the first run in brackets."""
    results = [run.results | speed(points_of(run)) for run in runs]
    metrics = [METRICS[name] for name in _ROWS if any(name in result for result in results)]
    cells = [_cells(metric, [result.get(metric.name) for result in results]) for metric in metrics]
    titles = [metric.title for metric in metrics]
    for title, values, form in _costs(runs, points_of):
        titles.append(title)
        cells.append(_formatted(values, form))
    return _table(titles, "Result", runs, cells)


def _costs(
    runs: Sequence[Run], points_of: Callable[[Run], Sequence[Point]]
) -> Iterator[tuple[str, list[float | None], "_Format"]]:
    """What each model costs: operations for an image, and the time until it was as good as the weakest of them."""
    flops = [_flops(run) for run in runs]
    if any(flops):
        yield "FLOPs per image", flops, _Format(_si, _factor)
    reached = [run.results.get(BEST_VAL_ACCURACY) for run in runs]
    if None not in reached and len(reached) > 1:
        goal = min(value for value in reached if value is not None)
        times = [_time_to(goal, points_of(run)) for run in runs]
        yield f"Time to {goal:.1%} on validation", times, _FORMATS["s"]


def _flops(run: Run) -> float | None:
    try:
        known = facts(run.spec.data.model_dump_json())
    except DataError:  # a folder that was removed
        return None
    return flops_per_image(run.spec, known.in_chans, len(known.classes))


def _time_to(goal: float, points: Sequence[Point]) -> float | None:
    return next((point.elapsed_s for point in points if point.metrics.get(VAL_ACCURACY, 0.0) >= goal), None)


def _si(number: float) -> str:
    """With the largest unit that leaves a whole number before the point."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:.0f}"


def setting_table(runs: Sequence[Run], by_id: Mapping[str, Run]) -> Columns:
    """The settings that differ: one row per setting, with its meaning, one column per run; teachers by their names."""
    rows = [difference for difference in differences([run.spec for run in runs]) if difference.path != "name"]
    cells = [[_setting(value, by_id) for value in difference.values] for difference in rows]
    titles = [f"`{difference.path}`  \n:gray[{escape(_first_sentence(difference.description))}]" for difference in rows]
    return _table(titles, "Setting", runs, cells)


def _first_sentence(text: str) -> str:
    """All of it would make a table that a phone cannot show."""
    return re.split(r"(?<=\.) (?=[A-Z])", text)[0]


def _table(titles: Sequence[str], what: str, runs: Sequence[Run], cells: Sequence[Sequence[str]]) -> Columns:
    columns = {escape(label(run)): [row[index] for row in cells] for index, run in enumerate(runs)}
    return {what: titles} | columns


class _Format(NamedTuple):
    value: Callable[[float], str]
    difference: Callable[[float, float], str]  # of a run's value from the first run's


def _signed(number: float, form: str) -> str:
    return format(number, f"+{form}").replace("-", "−")


def _points(value: float, first: float) -> str:
    return _signed(100 * (value - first), ".2f") + " points"


def _factor(value: float, first: float) -> str:
    return f"×{value / first:.2f}"


_FORMATS: dict[Unit, _Format] = {
    "share": _Format("{:.2%}".format, _points),
    "nats": _Format("{:.4f}".format, lambda value, first: _signed(value - first, ".4f")),
    "count": _Format("{:,.0f}".format, lambda value, first: _signed(value - first, ",.0f")),
    "s": _Format(duration, _factor),
    "images/s": _Format("{:,.0f}".format, _factor),
}
_ROWS = (*TEST_ACCURACIES, TEST_LOSS, BEST_VAL_ACCURACY, BEST_EPOCH, NUM_PARAMS, TRAIN_TIME_S, IMAGES_PER_S)


def _cells(metric: Metric, values: Sequence[float | None]) -> list[str]:
    return _formatted(values, _FORMATS[metric.unit])


def _formatted(values: Sequence[float | None], form: _Format) -> list[str]:
    first = values[0]
    cells = []
    for index, value in enumerate(values):
        if value is None:
            cells.append("–")
        elif index and first is not None and value != first:
            cells.append(escape(f"{form.value(value)} ({form.difference(value, first)})"))
        else:
            cells.append(escape(form.value(value)))
    return cells


def speed(points: Sequence[Point]) -> dict[str, float]:
    speeds = [point.metrics[IMAGES_PER_S] for point in points if IMAGES_PER_S in point.metrics]
    return {IMAGES_PER_S: median(speeds)} if speeds else {}


def _setting(value: Any, by_id: Mapping[str, Run]) -> str:
    if value in (None, (), ""):
        return "–"
    if isinstance(value, str) and value in by_id:
        return escape(label(by_id[value]))
    return escape(", ".join(value) if isinstance(value, tuple) else str(value))


def _named(mismatch: Mismatch) -> str:
    first, second = ("none" if value in (None, "") else str(value) for value in mismatch.values)
    return f"{mismatch.path} ({first} and {second})"
