"""Lesson 5: the gain of a student against the strength of its teacher."""

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, Evidence, evidence
from dashboard.views.learn.exhibits.figures import CONTROL, chart
from deit_core.results.role_looks import look_of

_POINT = 0.01  # of accuracy
_TITLES = {
    "narrow": "narrow CNN",
    "plain": "CNN of two convolutions",
    "resnet": "ResNet-9",
    "smoothed": "ResNet-9, label smoothing",
}


def draw() -> Answer | None:
    found = evidence("lesson-teachers")
    return None if found is None else _answer(found)


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
        "y": list(gains.values()),
        "text": [f"{title}" for title in _TITLES.values()],
        "textposition": "top center",
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 11},
        "hovertemplate": "teacher %{x:.1%}, gain %{y:+.1%}",
    }
    figure = chart([points], x="Test accuracy of the teacher", y="Gain of its student", percent=True)
    figure["layout"]["xaxis"]["tickformat"] = ".0%"
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
    st.caption(found.source)
    gain = gains["narrow"]
    worse = "less" if accuracy["narrow"] < vit else "more"
    sentence = (
        f"The narrow CNN has {accuracy['narrow']:.1%}, {worse} than the ViT's {vit:.1%}; its student has "
        f"{100 * gain:+.1f} points. The ResNet-9's student has {100 * gains['resnet']:+.1f}, with label smoothing in "
        f"the teacher {100 * gains['smoothed']:+.1f}."
    )
    return Answer(0 if gain > _POINT else 1 if gain >= -_POINT else 2, sentence, found.source)
