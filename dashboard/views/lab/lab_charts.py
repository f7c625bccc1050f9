"""The figures of the lab, as plain Plotly dictionaries. Knows logits and temperatures; no widgets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.views.lab.logits import Answers
from deit_core.analysis.soft_targets import gradient, gradient_limit, soft_targets
from deit_core.results.role_looks import look_of

TEACHER, STUDENT, LABEL = look_of("teacher").colour, look_of("DeiT").colour, "#767676"
TAUS = np.geomspace(0.5, 30, 120)

Figure = dict[str, Any]


def soft_target_bars(answers: Answers, tau: float) -> Figure:
    """For each class: the hard label, the teacher's probabilities at temperature 1 and at tau, the student's at tau."""
    hard = np.eye(len(answers.classes))[answers.label]
    bars = [
        _bars("true label", answers, hard, LABEL, pattern="/"),
        _bars("teacher, τ = 1", answers, soft_targets(answers.teacher, 1), TEACHER, opacity=0.4, pattern="x"),
        _bars(f"teacher, τ = {tau:g}", answers, soft_targets(answers.teacher, tau), TEACHER),
        _bars(f"student, τ = {tau:g}", answers, soft_targets(answers.student, tau), STUDENT, pattern="."),
    ]
    return {
        "data": bars,
        "layout": {
            "barmode": "group",
            "xaxis": {"type": "category"},
            "yaxis": {"range": [0, 1], "tickformat": ".0%", "title": {"text": "Probability"}},
            "uirevision": "bars",
        },
    }


def moves(answers: Answers, tau: float) -> NDArray[np.float64]:
    """Where a step moves each of the student's logits: against the gradient, which is multiplied by tau^2."""
    return -gradient(answers.student, answers.teacher, tau) * tau**2


def gradient_bars(answers: Answers, tau: float) -> Figure:
    return {
        "data": [_bars("step", answers, moves(answers, tau), STUDENT)],
        "layout": {
            "xaxis": {"type": "category"},
            "yaxis": {"title": {"text": "Up or down"}, "zeroline": True},
            "showlegend": False,
            "uirevision": "moves",
        },
    }


def gradient_sizes(answers: Answers, tau: float) -> Figure:
    """The size of the gradient by temperature, with the factor tau^2 and without, and its limit."""
    plain = [gradient_size(answers, float(one)) for one in TAUS]
    limit = float(np.linalg.norm(gradient_limit(answers.student, answers.teacher)))
    with_factor = [size * float(one) ** 2 for size, one in zip(plain, TAUS, strict=True)]
    now = gradient_size(answers, tau)
    return {
        "data": [
            _line("with the factor τ²", with_factor, STUDENT),
            _line("without it", plain, TEACHER, dash="dash"),
            _line("limit with the factor", [limit] * len(TAUS), LABEL, dash="dot"),
            {
                "type": "scatter",
                "uid": "now",
                "name": f"τ = {tau:g}",
                "mode": "markers",
                "x": [tau, tau],
                "y": [now * tau**2, now],
                "marker": {"color": [STUDENT, TEACHER], "size": 11, "symbol": ["circle", "diamond"]},
                "hovertemplate": "%{y:.3g}",
            },
        ],
        "layout": {
            "xaxis": {"type": "log", "title": {"text": "Temperature τ"}, "tickvals": [0.5, 1, 2, 5, 10, 20, 30]},
            "yaxis": {"type": "log", "title": {"text": "Size of the gradient"}, "tickformat": "~g", "dtick": 1},
            "uirevision": "sizes",
        },
    }


def gradient_size(answers: Answers, tau: float) -> float:
    """The length of the gradient by the student's logits, without the factor tau^2."""
    return float(np.linalg.norm(gradient(answers.student, answers.teacher, tau)))


def _bars(
    name: str,
    answers: Answers,
    values: NDArray[np.float64],
    colour: str,
    *,
    opacity: float = 1.0,
    pattern: str = "",
) -> Figure:
    return {
        "type": "bar",
        "uid": name.partition(" = ")[0] + str(opacity),
        "name": name,
        "x": [answers.classes[number] for number in answers.shown],
        "y": values[answers.shown].tolist(),
        "marker": {"color": colour, "opacity": opacity, "pattern": {"shape": pattern}},
        "hovertemplate": "%{y:.4g}",
    }


def _line(name: str, values: list[float], colour: str, dash: str = "solid") -> Figure:
    return {
        "type": "scatter",
        "uid": name,
        "name": name,
        "mode": "lines",
        "x": TAUS.tolist(),
        "y": values,
        "line": {"color": colour, "dash": dash, "width": 2},
        "hovertemplate": "%{y:.3g} at τ = %{x:.3g}",
    }
