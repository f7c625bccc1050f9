"""Figures of training curves, as plain Plotly dictionaries.

Knows charts, runs, imported curves and points; neither Streamlit nor the store.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from dashboard.curves.charts import COLOURS, Chart, Line
from deit_core.metrics import METRICS
from deit_core.results.role_looks import Look, look_of, numbered_roles
from deit_core.runs import Point, Run
from deit_core.runs.condition import label
from deit_core.runs.imported_curves import ImportedCurve

Axis = Literal["epoch", "step", "time"]
AXES: tuple[Axis, ...] = get_args(Axis)
_POSITIONS: dict[Axis, str] = {"epoch": "epoch", "step": "step", "time": "elapsed_s"}  # of a point on each

MAX_POINTS = 1000
_SYMBOLS = ("x", "cross", "star")  # of imported curves, one after the other once all colours are taken
_FEW = 8  # markers on a line of training, which is there without them


class Curve(NamedTuple):
    run: Run | ImportedCurve
    points: Sequence[Point]

    @property
    def name(self) -> str:
        return label(self.run) if isinstance(self.run, Run) else self.run.name


def figure(
    chart: Chart, curves: Sequence[Curve], *, axis: Axis, smoothing: float = 0.0, is_log: bool = False
) -> dict[str, Any]:
    """The chart of some runs.

    Args:
        axis: what runs to the right: epochs, steps, or the time spent.
        smoothing: weight in [0, 1) of the past in what is drawn of training; the measured line stays faintly visible.
        is_log: a logarithmic axis, where the chart can have one.
    """
    in_minutes = any(curve.points and curve.points[-1].elapsed_s >= 600 for curve in curves)
    title = {"epoch": "Epoch", "step": "Step", "time": "Time (min)" if in_minutes else "Time (s)"}[axis]
    scale = 60 if in_minutes and axis == "time" else 1
    is_log = is_log and chart.can_be_log
    looks = _looks([curve.run for curve in curves])
    traces = list(
        chain.from_iterable(
            _traces(chart, curve, looks[curve.run.id], axis=axis, scale=scale, smoothing=smoothing) for curve in curves
        )
    )
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": title}, "rangemode": "tozero", **_planned(axis, curves)},
            "yaxis": {
                "type": "log" if is_log else "linear",
                "tickformat": ".0%" if "%" in chart.number_format else None,
            },
            "hovermode": "closest",
            "uirevision": f"{title} {is_log}",
            "annotations": _explained(chart, traces),
        },
    }


def _planned(axis: Axis, curves: Sequence[Curve]) -> dict[str, Any]:
    """The range of the axis: to the end of what is planned, so that it stands still while curves grow.

    Of a run that has ended it is what was measured; time has no plan.
    """
    ends = [_end(axis, curve) for curve in curves]
    return {} if axis == "time" or not any(ends) else {"range": [0, 1.02 * max(ends)]}


def _end(axis: Axis, curve: Curve) -> float:
    run = curve.run
    measured = getattr(curve.points[-1], _POSITIONS[axis]) if curve.points else 0
    if not isinstance(run, Run):
        return measured
    planned = run.spec.optim.epochs if axis == "epoch" else run.total_steps
    return max(measured, planned) if run.status.is_active else measured


def _explained(chart: Chart, traces: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What thick and thin lines are, in the corner where curves that fall, or rise, leave room."""
    if {trace["meta"]["kind"] for trace in traces} != {"step", "epoch"}:
        return []
    y, anchor = (1, "top") if chart.can_be_log else (0, "bottom")
    return [
        {
            "text": "thick: validation<br>thin: training",
            "xref": "paper",
            "yref": "paper",
            "x": 1,
            "y": y,
            "xanchor": "right",
            "yanchor": anchor,
            "align": "right",
            "showarrow": False,
        }
    ]


def finding(chart: Chart, curves: Iterable[Curve]) -> str:
    """Where the lines of each run end, in words."""
    return "; ".join(f"{curve.name} {ends}" for curve in curves if (ends := _ends(chart, curve)))


def roles_of(runs: Iterable[Run]) -> dict[str, tuple[str, int]]:
    """By id the role of each run, and how many runs of this role are older."""
    ordered = sorted(runs, key=lambda run: run.number)
    roles = numbered_roles([run.spec for run in ordered])
    return {run.id: one for run, one in zip(ordered, roles, strict=True)}


def _looks(runs: Sequence[Run | ImportedCurve]) -> dict[str, Callable[[str], Look]]:
    """By id the look of a line about a head: a run's by its role, that of an imported curve one that no model has."""
    roles = roles_of([run for run in runs if isinstance(run, Run)])
    looks: dict[str, Callable[[str], Look]] = {run_id: partial(look_of, *role) for run_id, role in roles.items()}
    imported = [run for run in runs if not isinstance(run, Run)]
    return looks | {curve.id: partial(_look_of_imported, number) for number, curve in enumerate(imported)}


def _look_of_imported(number: int, head: str) -> Look:
    """The same for each head."""
    return Look(COLOURS[number % len(COLOURS)], _SYMBOLS[number // len(COLOURS) % len(_SYMBOLS)], "dot", "")


@dataclass
class Average:
    """Exponential moving average without the bias towards its start; the live chart goes on from where it is.

    The past fades with the distance in epochs, by `weight` every fifth of one, and not with the number of points:
    runs that were measured more or less often are smoothed alike.
    """

    weight: float
    total: float = 0.0
    count: float = 0.0
    epoch: float = 0.0

    def add(self, value: float, epoch: float) -> float:
        kept = self.weight ** (5 * (epoch - self.epoch)) if self.count else 0.0
        self.total, self.count, self.epoch = self.total * kept + value, self.count * kept + 1, epoch
        return self.total / self.count


def thin(values: Sequence[float], max_points: int = MAX_POINTS) -> list[int]:
    """Indices of the values worth drawing: the lowest and the highest of each bin, the first and the last of all.

    The bins grow by doubling, so what is drawn while more arrive are the same points, only fewer.
    """
    count = len(values)
    if count <= max_points:
        return list(range(count))
    size = 4
    while 2 * count > size * max_points:
        size *= 2
    starts = range(0, count, size)
    bins = [np.asarray(values[start : start + size]) for start in starts]
    extremes = (
        start + int(index) for start, one in zip(starts, bins, strict=True) for index in (one.argmin(), one.argmax())
    )
    return sorted({0, count - 1, *extremes})


def _traces(
    chart: Chart, curve: Curve, look: Callable[[str], Look], *, axis: Axis, scale: float, smoothing: float
) -> list[dict[str, Any]]:
    measured = {line: _points(line, curve) for line in chart.lines}
    drawn = [line for line in chart.lines if measured[line]]
    traces: list[dict[str, Any]] = []
    for line in drawn:
        shown = line if len(drawn) > 1 else line._replace(label="")
        brush = _Brush(shown, curve.run.id, curve.name, look(line.head), chart.number_format)
        x = [getattr(point, _POSITIONS[axis]) / scale for point in measured[line]]
        y = [point.metrics[line.metric] for point in measured[line]]
        source = _source(line, curve, axis, scale)
        if line.kind == "epoch":
            traces.append(brush.trace("measured", x, y, source, opacity=1.0, width=2, num_markers=40))
        elif smoothing and chart.can_be_smoothed:
            average = Average(smoothing)
            smoothed = [average.add(value, point.epoch) for value, point in zip(y, measured[line], strict=True)]
            traces.append(brush.trace("measured", x, y, source, opacity=0.2) | {"hoverinfo": "skip"})
            source = source | {"average": asdict(average)}
            opacity = _train_opacity(chart)
            traces.append(brush.trace("smoothed", x, smoothed, source, opacity=opacity, num_markers=_FEW))
        else:
            traces.append(brush.trace("measured", x, y, source, opacity=_train_opacity(chart), num_markers=_FEW))
    _name_each_run_once(traces)
    return traces


def _points(line: Line, curve: Curve) -> list[Point]:
    return [point for point in curve.points if point.kind == line.kind and line.metric in point.metrics]


def _ends(chart: Chart, curve: Curve) -> str:
    """Of training and validation the latter, and of more than three lines the first and the last."""
    values = {
        line.label or line.hover: chart.in_words(points[-1].metrics[line.metric])
        for line in chart.lines
        if (points := _points(line, curve))
    }
    words = [f"{name} {value}".strip() for name, value in values.items()]
    return ", ".join(words if len(words) <= 3 else (words[0], words[-1]))


def _source(line: Line, curve: Curve, axis: Axis, scale: float) -> dict[str, Any]:
    """Where more of a line comes from, for the live chart: of which points, what, drawn where, after which one."""
    return {
        "run": curve.run.id,
        "kind": line.kind,
        "metric": line.metric,
        "position": _POSITIONS[axis],
        "scale": scale,
        "seq": curve.points[-1].seq,
    }


class _Brush(NamedTuple):
    line: Line
    run_id: str
    name: str
    look: Look
    number_format: str

    def trace(
        self,
        what: Literal["measured", "smoothed"],
        x: Sequence[float],
        y: Sequence[float],
        source: dict[str, Any],
        *,
        opacity: float,
        width: float = 1.5,
        num_markers: int = 0,
    ) -> dict[str, Any]:
        line, look = self.line, self.look
        kept = thin(y)
        column = [self.name, METRICS[line.metric].title, *(["smoothed"] if what == "smoothed" else [])]
        return {
            "type": "scatter",
            "uid": f"{self.run_id} {line.metric} {what}",
            "name": ", ".join(filter(None, (self.name, line.label))),
            "legendgroup": f"{self.run_id} {line.label}",
            "x": [x[index] for index in kept],
            "y": [y[index] for index in kept],
            "meta": source | {"column": ", ".join(column)},
            "mode": "lines+markers" if num_markers else "lines",
            "opacity": opacity,
            "line": {"color": look.colour, "dash": line.dash or look.dash, "width": width},
            "marker": {"color": look.colour, "symbol": look.symbol, "size": 7, "maxdisplayed": num_markers},
            "hovertemplate": ", ".join((f"%{{y:{self.number_format}}} at %{{x:.5~g}}", *filter(None, [line.hover]))),
        }


def _name_each_run_once(traces: list[dict[str, Any]]) -> None:
    """Lines of one run that go by the same name share an entry of the legend: that of the topmost."""
    named = set()
    for trace in reversed(traces):
        trace["showlegend"] = trace["legendgroup"] not in named
        named.add(trace["legendgroup"])


def _train_opacity(chart: Chart) -> float:
    """Training recedes where validation is drawn over it."""
    return 0.55 if any(line.kind == "epoch" for line in chart.lines) else 1.0
