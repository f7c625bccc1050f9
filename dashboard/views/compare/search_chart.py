"""The charts of a search, as plain Plotly dictionaries: a line for each run across its fields, and one field by itself.

Knows points and axes; no runs, no widgets.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.curves.charts import COLOURS
from dashboard.text import plotly_escape
from dashboard.views.compare.variation_chart import Figure, Role, is_log, words, x_axis, x_of
from deit_core.analysis import Axis, Trial, Tried

# Shares of the runs, the best first; colour, dash and width all tell them apart.
_GROUPS = (
    ("the best run", COLOURS[0], "solid", 4),
    ("best quarter", COLOURS[1], "solid", 2),
    ("second quarter", COLOURS[2], "dash", 1.5),
    ("lower half", "#8A8A8A", "dot", 1),
)
_HALF_RANGE = 0.005  # of the axis of accuracies, where all are alike


def parallel(found: Tried, names: Mapping[str, str], title: str) -> Figure:
    """Parallel coordinates: fields side by side, accuracy the last of them, and the line of a run through its values.

    Heights are accuracies; the values of a field are spread over the same height, from low to high.

    Args:
        names: what each run is called, by its id.
        title: of the accuracy.
    """
    low, high = _ends(found.trials)
    number = len(found.trials)
    ends = [1, max(1, math.ceil(number / 4)), max(1, math.ceil(number / 2)), number]
    groups = [found.trials[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    traces = [
        _lines(found, group, names, look, (low, high)) for look, group in zip(_GROUPS, groups, strict=True) if group
    ]
    titles = [_last_word(axis.path) for axis in found.fields]
    return {
        "data": traces[::-1],  # the best above the others
        "layout": {
            "xaxis": {
                "title": {"text": "Field"},
                "tickmode": "array",
                "tickvals": list(range(len(found.fields) + 1)),
                "ticktext": [*map(plotly_escape, titles), "accuracy"],
                "range": [-0.3, len(found.fields) + 0.1],
                "zeroline": False,
            },
            "yaxis": {
                "title": {"text": title},
                "tickformat": ".1%",
                "side": "right",
                "range": [low - 0.08 * (high - low), high + 0.08 * (high - low)],
                "showgrid": False,
                "zeroline": False,
            },
            "annotations": [
                _note(place, _height(axis, value, low, high), words(value))
                for place, axis in enumerate(found.fields)
                for value in _marked(axis)
            ],
            "uirevision": "parallel",
        },
    }


def marginal(found: Tried, place: int, names: Mapping[str, str], roles: Sequence[tuple[Role, set[str]]]) -> Figure:
    """Accuracy against one field, whatever the others are.

    Args: roles: how runs are drawn, with the ids of each role.
    """
    axis = found.fields[place]
    traces = []
    for role, ids in roles:
        shown = [one for one in found.trials if one.run_id in ids and one.values[place] is not None]
        if shown:
            values = [one.values[place] for one in shown]
            traces.append(
                {
                    "type": "scatter",
                    "uid": role.name,
                    "name": role.name,
                    "mode": "markers",
                    "x": [x_of(axis, value) for value in values],
                    "y": [one.accuracy for one in shown],
                    "meta": {"places": [value if axis.is_number else words(value) for value in values]},
                    "customdata": [f"{names[one.run_id]}: {one.accuracy:.2%}" for one in shown],
                    "marker": {"color": role.look.colour, "symbol": role.look.symbol, "size": 9, "opacity": 0.8},
                    "hovertemplate": "%{customdata}",
                }
            )
    layout = {"xaxis": x_axis(axis), "yaxis": {"tickformat": ".0%"}, "uirevision": axis.path}
    return {"data": traces, "layout": layout}


def _lines(
    found: Tried,
    trials: Sequence[Trial],
    names: Mapping[str, str],
    look: tuple[str, str, str, float],
    ends: tuple[float, float],
) -> Figure:
    """The lines of some runs as one trace, with gaps between them."""
    name, colour, dash, width = look
    x: list[int | None] = []
    y: list[float | None] = []
    values: list[Any] = []
    hover: list[str] = []
    for trial in trials:
        known = [place for place, value in enumerate(trial.values) if value is not None]
        x += [*known, len(found.fields), None]
        y += [*(_height(found.fields[place], trial.values[place], *ends) for place in known), trial.accuracy, None]
        values += [*(_plain(trial.values[place]) for place in known), trial.accuracy, None]
        hover += [f"{names[trial.run_id]}: {trial.accuracy:.2%}"] * (len(known) + 2)
    titles = [*(axis.path for axis in found.fields), "accuracy"]
    return {
        "type": "scatter",
        "uid": name,
        "name": name,
        "mode": "lines+markers" if look == _GROUPS[0] else "lines",
        "x": x,
        "y": y,
        "meta": {"places": ["" if place is None else titles[place] for place in x], "values": values},
        "customdata": hover,
        "line": {"color": colour, "dash": dash, "width": width},
        "marker": {"symbol": "star", "size": 10, "color": colour},
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _ends(trials: Sequence[Trial]) -> tuple[float, float]:
    low, high = trials[-1].accuracy, trials[0].accuracy
    return (low, high) if low < high else (low - _HALF_RANGE, high + _HALF_RANGE)


def _height(axis: Axis, value: Any, low: float, high: float) -> float:
    """Where a value stands between the lowest and the highest accuracy; the only one in the middle."""
    if len(axis.values) == 1:
        share = 0.5
    elif not axis.is_number:
        share = axis.values.index(value) / (len(axis.values) - 1)
    else:
        scale = math.log if is_log(axis) else float
        first, last = scale(axis.values[0]), scale(axis.values[-1])
        share = (scale(value) - first) / (last - first)
    return low + share * (high - low)


def _marked(axis: Axis) -> Sequence[Any]:
    """The values that are written beside an axis."""
    return axis.values if len(axis.values) <= 6 else (axis.values[0], axis.values[-1])


def _note(place: int, height: float, text: str) -> Figure:
    return {
        "x": place,
        "y": height,
        "text": plotly_escape(text),
        "showarrow": False,
        "xanchor": "right",
        "xshift": -5,
        "font": {"size": 11},
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else words(value)


def _last_word(path: str) -> str:
    return path.rpartition(".")[2]
