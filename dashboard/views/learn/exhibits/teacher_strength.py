"""Lesson 5: the gain of a student against the strength of its teacher."""

from collections.abc import Sequence
from math import log
from statistics import fmean

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, Evidence, evidence
from dashboard.state import files_of, has_predictions, predictions
from dashboard.views.learn.exhibits.figures import CONTROL, chart
from deit_core.analysis.soft_targets import entropy
from deit_core.results.role_looks import look_of
from deit_core.runs import Run

_POINT = 0.01  # of accuracy
_NUM_IMAGES = 500  # test images that an entropy is the mean of
_TITLES = {
    "narrow": "narrow CNN",
    "plain": "CNN of two convolutions",
    "resnet": "ResNet-9",
    "smoothed": "ResNet-9, label smoothing",
}


def draw() -> Answer | None:
    found = evidence("lesson-teachers")
    return None if found is None else _answer(found)


def _how_flat(own: Sequence[Run]) -> str:
    """How spread the soft targets of the learner's teachers are, at the temperature of their students."""
    taus = {run.spec.distillation.tau for run in own if run.spec.distillation}
    if len(taus) != 1:
        return "Train lesson-teachers to see how flat the soft targets of each teacher are."
    tau = taus.pop()
    spreads = []
    for run in own:
        if run.name in _TITLES and has_predictions(run):
            logits = predictions(files_of(run).predictions).test.logits[:_NUM_IMAGES]
            spread = fmean(entropy(one, tau) for one in logits) / log(logits.shape[1])
            spreads.append(f"{_TITLES[run.name]} {spread:.0%}")
    return f"Entropy of the soft targets at τ = {tau:g}, where 100% is flat: {', '.join(spreads)}."


def _answer(found: Evidence) -> Answer:
    accuracy = {name: sample.mean for name, sample in found.accuracy.items()}
    vit = accuracy["vit"]
    gains = {name: accuracy[f"deit-{name}"] - vit for name in _TITLES}
    look = look_of("DeiT")
    points = {
        "type": "scatter",
        "uid": "students",
        "name": "students",
        "mode": "markers+text",
        "x": [accuracy[name] for name in _TITLES],
        "y": [100 * gain for gain in gains.values()],
        "text": list(_TITLES.values()),
        "textposition": ["middle right" if accuracy[name] < vit else "middle left" for name in _TITLES],
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 11},
        "hovertemplate": "teacher %{x:.1%}, gain %{y:+.1f} points",
    }
    figure = chart([points], x="Test accuracy of the teacher", y="Gain of its student (points)")
    figure["layout"]["xaxis"]["tickformat"] = ".0%"
    figure["layout"]["yaxis"]["zeroline"] = True
    figure["layout"]["annotations"] = [
        {
            "x": vit,
            "xanchor": "left",
            "xshift": 4,
            "yref": "paper",
            "y": 1,
            "yanchor": "top",
            "showarrow": False,
            "text": "the ViT without a teacher",
        }
    ]
    figure["layout"]["showlegend"] = False
    figure["layout"]["shapes"] = [
        {
            "type": "line",
            "x0": vit,
            "x1": vit,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": CONTROL, "dash": "dash"},
        }
    ]
    told = "; ".join(
        f"{_TITLES[name]} {accuracy[name]:.1%}, its student {100 * gain:+.1f} points" for name, gain in gains.items()
    )
    alt = f"The ViT without a teacher has {vit:.1%}. Teachers and their students: {told}."
    live_chart(figure, key="learn_teachers", title="Gain by teacher", alt=alt, height=360)
    st.caption(_how_flat(found.own))
    gain = gains["narrow"]
    worse = "less" if accuracy["narrow"] < vit else "more"
    sentence = (
        f"The narrow CNN has {accuracy['narrow']:.1%}, {worse} than the ViT with {vit:.1%}; the gain "
        f"of its student is {100 * gain:+.1f} points. With the ResNet-9 it is {100 * gains['resnet']:+.1f}, and "
        f"{100 * gains['smoothed']:+.1f} where the ResNet-9 learned with label smoothing."
    )
    return Answer(0 if gain > _POINT else 1 if gain >= -_POINT else 2, sentence, found.source)
