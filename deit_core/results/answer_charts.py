"""The figures of the Compare page, as plain Plotly dictionaries. Knows numbers and names; no runs, no widgets."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.calibration import FEW_IMAGES, Bin
from deit_core.results.role_looks import Look

Figure = dict[str, Any]

MAX_CELLS = 30  # classes of a matrix whose cells can be told apart
_WRITTEN = 12  # classes of a matrix whose numbers fit into its cells


def matrix(
    values: NDArray[Any],
    names: Sequence[str],
    *,
    across: str,
    down: str,
    numbers: Callable[[float], str],
    words: Callable[[int, int], str],
    signed: bool = False,
) -> Figure:
    """A matrix (K, K) as colours of the theme, with its numbers where they fit.

    Args:
        numbers: what is written into a cell of this value.
        words: a sentence on the cell of a row and a column, for those who point at it or hear it.
    """
    largest = float(np.nanmax(np.abs(values))) or 1.0
    cells = [[None if np.isnan(cell) else float(cell) for cell in row] for row in values.astype(float)]
    return {
        "data": [
            {
                "type": "heatmap",
                "uid": "matrix",
                "x": list(names),
                "y": list(names),
                "z": cells,
                "zmin": -largest if signed else 0,
                "zmax": largest,
                "autocolorscale": True,
                "showscale": False,
                "xgap": 1,
                "ygap": 1,
                "text": [["" if cell is None else numbers(cell) for cell in row] for row in cells],
                "texttemplate": "%{text}" if len(names) <= _WRITTEN else "",
                "customdata": [[words(row, column) for column in range(len(names))] for row in range(len(names))],
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": across}, "type": "category", "side": "bottom"},
            "yaxis": {"title": {"text": down}, "type": "category", "autorange": "reversed", "showgrid": False},
            "margin": {"t": 8},
            "uirevision": "matrix",
        },
    }


def class_bars(
    names: Sequence[str], accuracies: Sequence[tuple[str, Sequence[float | None]]], looks: Sequence[Look]
) -> Figure:
    """The accuracy of each model in each class."""
    return {
        "data": [
            {
                "type": "bar",
                "uid": name,
                "name": name,
                "x": list(names),
                "y": list(values),
                "marker": {"color": look.colour, "pattern": {"shape": look.pattern}},
                "hovertemplate": "%{y:.1%}",
            }
            for (name, values), look in zip(accuracies, looks, strict=True)
        ],
        "layout": {
            "barmode": "group",
            "xaxis": {"type": "category"},
            "yaxis": {"range": [0, 1], "tickformat": ".0%", "title": {"text": "Right"}},
            "uirevision": "classes",
        },
    }


def reliability_curves(models: Sequence[tuple[str, Sequence[Bin]]], looks: Sequence[Look]) -> Figure:
    """Accuracy against confidence of each model, and below it the images of each bin.

    On the diagonal a model is right as often as it says. Bins with few images are pale, and no line joins them.
    """
    traces: list[Figure] = [
        {
            "type": "scatter",
            "uid": "diagonal",
            "name": "right as often as it says",
            "mode": "lines",
            "x": [0, 1],
            "y": [0, 1],
            "line": {"color": "#767676", "dash": "dot", "width": 1.5},
            "hoverinfo": "skip",
        }
    ]
    for (name, bins), look in zip(models, looks, strict=True):
        filled = [one for one in bins if one.num_images]
        few, many = ([one for one in filled if (one.num_images < FEW_IMAGES) is is_few] for is_few in (True, False))
        traces += [
            _reliability_marks(name, many, look) | {"mode": "lines+markers"},
            _reliability_marks(f"{name}, few images", few, look._replace(symbol=f"{look.symbol}-open"))
            | {"mode": "markers", "opacity": 0.55, "showlegend": False, "legendgroup": name},
            {
                "type": "bar",
                "uid": f"{name} images",
                "name": f"{name}, images",
                "x": [(one.low + one.high) / 2 for one in filled],
                "y": [one.num_images for one in filled],
                "yaxis": "y2",
                "marker": {"color": look.colour, "pattern": {"shape": look.pattern}},
                "showlegend": False,
                "legendgroup": name,
                "hovertemplate": "%{y:,} images",
            },
        ]
    return {
        "data": traces,
        "layout": {
            "barmode": "group",
            "xaxis": {"range": [0, 1.02], "tickformat": ".0%", "title": {"text": "Confidence"}, "anchor": "y2"},
            "yaxis": {"range": [0, 1.02], "tickformat": ".0%", "title": {"text": "Accuracy"}, "domain": [0.36, 1]},
            "yaxis2": {
                "type": "log",
                "title": {"text": "Images"},
                "domain": [0, 0.26],
                "dtick": 1,
                "rangemode": "tozero",
            },
            "uirevision": "reliability",
        },
    }


def _reliability_marks(name: str, bins: Sequence[Bin], look: Look) -> Figure:
    return {
        "type": "scatter",
        "uid": name,
        "name": name,
        "x": [one.confidence for one in bins],
        "y": [one.accuracy for one in bins],
        "customdata": [one.num_images for one in bins],
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 8},
        "hovertemplate": "says %{x:.1%}, is right on %{y:.1%} of %{customdata:,} images",
    }


def token_cosines(models: Sequence[tuple[str, Sequence[float]]], looks: Sequence[Look]) -> Figure:
    """The cosine of both tokens of each model, from the input to the last block."""
    return {
        "data": [
            {
                "type": "scatter",
                "uid": name,
                "name": name,
                "mode": "lines+markers",
                "x": list(range(len(cosines))),
                "y": list(cosines),
                "line": {"color": look.colour, "dash": look.dash, "width": 2},
                "marker": {"color": look.colour, "symbol": look.symbol, "size": 8},
                "hovertemplate": "%{y:.2f}",
            }
            for (name, cosines), look in zip(models, looks, strict=True)
        ],
        "layout": {
            "xaxis": {"title": {"text": "Block (0 is the input)"}, "dtick": 1},
            "yaxis": {"title": {"text": "Cosine"}, "range": [-1, 1]},
            "uirevision": "cosines",
        },
    }


def speed_and_accuracy(points: Sequence[tuple[str, float, float]], looks: Sequence[Look]) -> Figure:
    """A mark for each model. Args: points: name, images a second, accuracy."""
    fastest = max(speed for _, speed, _ in points)
    return {
        "data": [
            {
                "type": "scatter",
                "uid": name,
                "name": name,
                "mode": "markers+text",
                "x": [speed],
                "y": [accuracy],
                "text": [name],
                "textposition": "top left" if speed > fastest / 2 else "top right",
                "cliponaxis": False,
                "showlegend": False,
                "marker": {"color": look.colour, "size": 11, "symbol": look.symbol},
                "hovertemplate": "%{y:.2%} at %{x:,.0f} images/s",
            }
            for (name, speed, accuracy), look in zip(points, looks, strict=True)
        ],
        "layout": {
            "xaxis": {"title": {"text": "Images per second"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": "Test accuracy"}, "tickformat": ".1%"},
            "uirevision": "speed",
        },
    }
