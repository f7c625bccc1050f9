"""The figures of the Compare page, as plain Plotly dictionaries. Knows numbers and names; no runs, no widgets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.calibration import Bin
from deit_core.results.role_looks import Look

Figure = dict[str, Any]

MAX_CELLS = 30  # classes of a matrix whose cells can be told apart
_WRITTEN = 12  # classes of a matrix whose numbers fit into its cells
# Opaque, since Plotly chooses black or white numbers by these colours and not by the page's.
_SHARES = [[0, "#EEF2F6"], [1, "#0072B2"]]
_SIGNED = [[0, "#0072B2"], [0.5, "#F2F2F2"], [1, "#D55E00"]]


def matrix(
    values: NDArray[Any], names: Sequence[str], *, across: str, down: str, signed: bool = False, form: str = ".0%"
) -> Figure:
    """A matrix (K, K) as colours, with its numbers where they fit. Args: form: of a number, in d3's words."""
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
                "colorscale": _SIGNED if signed else _SHARES,
                "showscale": False,
                "xgap": 1,
                "ygap": 1,
                "texttemplate": f"%{{z:{form}}}" if len(names) <= _WRITTEN else "",
                "hovertemplate": f"{down} %{{y}}, {across} %{{x}}: %{{z:{form}}}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": across}, "type": "category", "side": "bottom"},
            "yaxis": {"title": {"text": down}, "type": "category", "autorange": "reversed"},
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
    """Accuracy against confidence of each model; on the diagonal a model is right as often as it says."""
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
        traces.append(
            {
                "type": "scatter",
                "uid": name,
                "name": name,
                "mode": "lines+markers",
                "x": [one.confidence for one in filled],
                "y": [one.accuracy for one in filled],
                "customdata": [one.num_images for one in filled],
                "line": {"color": look.colour, "dash": look.dash, "width": 2},
                "marker": {"color": look.colour, "symbol": look.symbol, "size": 8},
                "hovertemplate": "says %{x:.1%}, is right on %{y:.1%} of %{customdata} images",
            }
        )
    return {
        "data": traces,
        "layout": {
            "xaxis": {"range": [0, 1], "tickformat": ".0%", "title": {"text": "Confidence"}},
            "yaxis": {"range": [0, 1], "tickformat": ".0%", "title": {"text": "Accuracy"}},
            "uirevision": "reliability",
        },
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
                "textposition": "top center",
                "cliponaxis": False,
                "showlegend": False,
                "marker": {"color": look.colour, "size": 11, "symbol": look.symbol},
                "hovertemplate": "%{y:.2%} at %{x:,.0f} images/s",
            }
            for (name, speed, accuracy), look in zip(points, looks, strict=True)
        ],
        "layout": {
            "xaxis": {"title": {"text": "Images a second"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": "Test accuracy"}, "tickformat": ".1%"},
            "uirevision": "speed",
        },
    }
