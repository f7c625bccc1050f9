"""The charts of an experiment, as plain Plotly dictionaries: accuracy, and what a teacher adds, by what varies.

Knows points and axes; no runs, no widgets.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from dashboard.text import plotly_escape
from deit_core.analysis import Axis, Point, Sample, Variation
from deit_core.results.role_looks import Look

Figure = dict[str, Any]

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_FILLS = ("", "-open", "-dot", "-open-dot")  # of marks, beside the dashes
# Between lines, which would hide each other's intervals: of a category's width, and of the length of a number axis.
_APART, _NUMBERS_APART = 0.05, 0.008
_LOG_FROM = 8  # times the smallest value
_MOST_TICKS = 8  # of values that all stand at an axis of numbers


class Role(NamedTuple):
    """How a kind of model is called and drawn."""

    name: str
    look: Look


def accuracy(found: Variation, *, teacher: Role, plain: Role, taught: Role, title: str) -> Figure:
    """Means over seeds with their intervals, and the accuracy of the teacher. Args: title: of the accuracy."""
    traces = [
        *_teacher_lines(found, teacher),
        *_lines(found, found.plain, plain, lambda point: point.accuracy),
        *_lines(found, found.taught, taught, lambda point: point.accuracy, is_second=True),
    ]
    return {
        "data": traces,
        "layout": {
            "xaxis": x_axis(found.axes[0]),
            "yaxis": {"tickformat": ".0%", "title": {"text": title}},
            "uirevision": "accuracy",
        },
    }


def gain(found: Variation, *, taught: Role, title: str) -> Figure:
    """What the runs with a teacher have more than those without, seed by seed, with the interval."""
    points = [point for point in found.taught if point.gain is not None]
    return {
        "data": list(_lines(found, points, taught, lambda point: point.gain, unit=100, is_second=True)),
        "layout": {
            "xaxis": x_axis(found.axes[0]),
            "yaxis": {"title": {"text": title}, "rangemode": "tozero", "zerolinewidth": 2},
            "showlegend": len(found.axes) > 1,
            "uirevision": "gain",
        },
    }


def words(value: Any) -> str:
    """A value of an axis."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def axis_title(axis: Axis) -> str:
    return axis.path or "What is changed"


def x_axis(axis: Axis) -> Figure:
    """The layout of a horizontal axis."""
    ticks = {
        "title": {"text": axis_title(axis)},
        "tickmode": "array",
        "tickvals": [x_of(axis, value) for value in axis.values],
        "ticktext": [plotly_escape(_tick(axis, value)) for value in axis.values],
        "autotickangles": [0, -30, -60],
    }
    if axis.is_number and len(axis.values) > _MOST_TICKS:
        ticks = {"title": ticks["title"]}
    if not axis.is_number:
        return ticks | {"range": [-0.5, len(axis.values) - 0.5], "zeroline": False}
    return ticks | {"type": "log" if is_log(axis) else "linear"}


def _tick(axis: Axis, value: Any) -> str:
    """Of a changed field its own name is enough."""
    text = words(value)
    return text if axis.path or "=" not in text else text.partition(".")[2]


def is_log(axis: Axis) -> bool:
    """Whether numbers stand at equal distances where one is the same multiple of the other."""
    return axis.is_number and axis.values[0] > 0 and axis.values[-1] >= _LOG_FROM * axis.values[0]


def x_of(axis: Axis, value: Any, steps: int = 0) -> float:
    """A number itself, or the place of a category; so many steps to the right."""
    if not axis.is_number:
        return axis.values.index(value) + _APART * steps
    if is_log(axis):
        return float(value * (axis.values[-1] / axis.values[0]) ** (_NUMBERS_APART * steps))
    return float(value + (axis.values[-1] - axis.values[0]) * _NUMBERS_APART * steps)


class _Series(NamedTuple):
    """The points of a line, and how it differs from the others of its role."""

    points: list[Point]
    words: str = ""
    number: int = 0

    @property
    def dash(self) -> str:
        return _DASHES[self.number % len(_DASHES)]

    @property
    def fill(self) -> str:
        return _FILLS[self.number % len(_FILLS)]


def _series(found: Variation, points: Sequence[Point]) -> Iterator[_Series]:
    """One for each value of a second axis; last the points that hold for all of them."""
    if len(found.axes) == 1:
        yield _Series(list(points))
        return
    second = found.axes[1]
    for index, value in enumerate([*second.values, None]):
        chosen = [point for point in points if point.values[1] == value]
        name = "" if value is None else f", {second.path.rpartition('.')[2]} {words(value)}"
        if chosen:
            yield _Series(chosen, name, index)


def _lines(
    found: Variation,
    points: Sequence[Point],
    role: Role,
    sample: Callable[[Point], Sample | None],
    *,
    unit: float = 1,
    is_second: bool = False,
) -> Iterator[Figure]:
    """Args: is_second: of the two roles that are drawn beside each other."""
    axis = found.axes[0]
    num_lines = len(found.axes[1].values) if len(found.axes) > 1 else 0
    for line in _series(found, points):
        places = [(place, measured) for point in line.points for place, measured in _places(axis, point, sample(point))]
        places.sort(key=lambda pair: axis.values.index(pair[0]))
        samples = [measured for _, measured in places]
        is_joined = axis.is_number or len(found.axes) > 1 or any(point.values[0] is None for point in line.points)
        steps = line.number if axis.is_number else 2 * line.number + is_second - num_lines
        yield _trace(
            role,
            line,
            axis,
            [place for place, _ in places],
            steps,
            [unit * one.mean for one in samples],
            [f"{words(place)}: {_hover(one, unit)}" for place, one in places],
        ) | {
            "mode": "lines+markers" if is_joined else "markers",
            "error_y": {
                "type": "data",
                "array": [unit * (one.interval[1] - one.mean) if one.interval else 0 for one in samples],
                "color": role.look.colour,
                "thickness": 1.5,
                "width": 5,
            },
        }


def _trace(
    role: Role, line: _Series, axis: Axis, places: list[Any], steps: int, y: list[float], hover: list[str]
) -> Figure:
    """Args: places: values of the axis. steps: how far to the right of them it is drawn."""
    return {
        "type": "scatter",
        "uid": f"{role.name}{line.words}",
        "name": f"{role.name}{line.words}",
        "mode": "lines+markers",
        "x": [x_of(axis, place, steps) for place in places],
        "y": y,
        "meta": {"places": [place if axis.is_number else words(place) for place in places]},
        "customdata": hover,
        "line": {"color": role.look.colour, "dash": line.dash, "width": 2},
        "marker": {
            "color": role.look.colour,
            "symbol": f"{role.look.symbol}{line.fill}",
            "size": 9,
            "line": {"color": role.look.colour, "width": 2},
        },
        "hovertemplate": "%{customdata}",
    }


def _places(axis: Axis, point: Point, sample: Sample | None) -> Iterator[tuple[Any, Sample]]:
    """Where a point is drawn: at its value, or at each, where it holds for all of them."""
    if sample is not None:
        yield from ((value, sample) for value in (axis.values if point.values[0] is None else point.values[:1]))


def _teacher_lines(found: Variation, role: Role) -> Iterator[Figure]:
    axis = found.axes[0]
    known = {point.teacher for point in found.taught}
    drawn: list[dict[Any, float]] = []
    for line in _series(found, found.taught):
        scores = {point.values[0]: point.teacher for point in line.points if point.teacher is not None}
        if len(known) == 1 and scores:  # one teacher: a line from end to end
            line, scores = _Series([]), dict.fromkeys(axis.values, next(iter(scores.values())))
        if scores and scores not in drawn:
            drawn.append(scores)
            places = sorted(scores, key=axis.values.index)
            hover = [f"{words(place)}: {scores[place]:.2%}" for place in places]
            yield _trace(role, line, axis, places, 0, [scores[place] for place in places], hover)


def _hover(sample: Sample, unit: float) -> str:
    form = "{:+.2f} points" if unit == 100 else "{:.2%}"
    mean = form.format(unit * sample.mean)
    if sample.interval is None:
        return mean
    low, high = (form.format(unit * end) for end in sample.interval)
    return f"{mean} ({low} to {high}; {len(sample.values)} seeds)"
