"""Lesson 4: what skip connections do before training, to gradients and to tokens, and the accuracy after it."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, evidence
from dashboard.state import test_source
from dashboard.views.learn.exhibits.figures import Figure, chart, line
from deit_core import presets
from deit_core.spec import ExperimentSpec

if TYPE_CHECKING:
    from deit_core.lessons.gradients import Passage

_NUM_IMAGES = 64
_NEAR, _CHANCE = 0.03, 0.2  # of accuracy: as good as the same, and near chance with ten classes
_TITLES = {"skips": "with skip connections", "no-skips": "without"}


def draw() -> Answer | None:
    passages = _passages()
    if passages:
        left, right = st.columns(2)
        with left:
            _show_gradients(passages)
        with right:
            _show_tokens(passages)
        st.caption(f"Computed here with the first weights of lesson-skips, on {_NUM_IMAGES} test images.")
    found = evidence("lesson-skips")
    if found is None:
        return None
    with_skips, without = found.accuracy["skips"].mean, found.accuracy["no-skips"].mean
    right_option = 0 if without >= with_skips - _NEAR else 1 if without > _CHANCE else 2
    sentence = f"Test accuracy with skip connections {with_skips:.1%}, without {without:.1%}."
    return Answer(right_option, sentence, found.source)


def _show_gradients(passages: "dict[str, Passage]") -> None:
    st.markdown("**The gradient on its way back, by block**")
    blocks = range(1, len(passages["skips"].gradients) + 1)
    lines = [_line(name, blocks, passage.gradients) for name, passage in passages.items()]
    figure = chart(lines, x="Block", y="Length of the gradient", whole=True)
    ends = {name: (min(passage.gradients), max(passage.gradients)) for name, passage in passages.items()}
    alt = (
        f"The gradients of the blocks have lengths from {ends['skips'][0]:.2f} to {ends['skips'][1]:.2f} with skip "
        f"connections, and from {ends['no-skips'][0]:.2f} to {ends['no-skips'][1]:.2f} without."
    )
    live_chart(figure, key="learn_gradients", title="Gradient by block", alt=alt, height=300)
    st.caption(alt)


def _show_tokens(passages: "dict[str, Passage]") -> None:
    st.markdown("**How alike the tokens are, by block**")
    blocks = range(len(passages["skips"].alike))
    lines = [_line(name, blocks, passage.alike) for name, passage in passages.items()]
    figure = chart(lines, x="After block (0 is the input)", y="Cosine of two tokens", whole=True)
    last = {name: passage.alike[-1] for name, passage in passages.items()}
    alt = (
        f"After the last block two tokens of an image have a cosine of {last['skips']:.2f} with skip connections, "
        f"and of {last['no-skips']:.2f} without."
    )
    live_chart(figure, key="learn_alike", title="Likeness of tokens by block", alt=alt, height=300)
    st.caption(alt)


def _line(name: str, blocks: range, values: list[float]) -> Figure:
    return line(_TITLES[name], blocks, values, role="ViT" if name == "skips" else "", hover="%{y:.2f} at %{x}")


@st.cache_data(show_spinner="Computing the gradients…")
def _passages() -> "dict[str, Passage]":
    """By run, of the models before training."""
    from deit_core.lessons.gradients import at_the_start

    spec = presets.get("lesson-skips")
    assert isinstance(spec, ExperimentSpec)
    loaded = test_source(spec.runs[0].data)
    if loaded is None:
        return {}
    pictures, labels = np.asarray(loaded.test_images[:_NUM_IMAGES]), loaded.test_labels[:_NUM_IMAGES]
    return {run.name: at_the_start(run, pictures, labels, len(loaded.classes)) for run in spec.runs}
