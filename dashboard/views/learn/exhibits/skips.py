"""Lesson 4: with and without skip connections, the gradient of each block before training and the accuracy after."""

import numpy as np
import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, evidence
from dashboard.state import test_source
from dashboard.views.learn.exhibits.figures import chart, line
from deit_core import presets
from deit_core.spec import ExperimentSpec

_NUM_IMAGES = 64
_NEAR, _CHANCE = 0.03, 0.2  # of accuracy: as good as the same, and near chance with ten classes


def draw() -> Answer | None:
    gradients = _gradients()
    if gradients:
        _show(gradients)
    found = evidence("lesson-skips")
    if found is None:
        return None
    with_skips, without = found.accuracy["skips"].mean, found.accuracy["no-skips"].mean
    right = 0 if without >= with_skips - _NEAR else 1 if without > _CHANCE else 2
    sentence = f"Test accuracy with skip connections {with_skips:.1%}, without {without:.1%}."
    return Answer(right, sentence, found.source)


def _show(gradients: dict[str, list[float]]) -> None:
    titles = {"skips": "with skip connections", "no-skips": "without"}
    blocks = list(range(1, len(gradients["skips"]) + 1))
    figure = chart(
        [
            line(title, blocks, gradients[name], role="ViT" if name == "skips" else "", hover="%{y:.2g} in block %{x}")
            for name, title in titles.items()
        ],
        x="Block",
        y="Length of the gradient",
        log="y",
        whole=True,
    )
    spreads = {name: max(lengths) / min(lengths) for name, lengths in gradients.items()}
    alt = (
        f"Before the first step the largest gradient of a block is {spreads['skips']:.3g} times the smallest with skip "
        f"connections, and {spreads['no-skips']:.3g} times without."
    )
    live_chart(figure, key="learn_gradients", title="Gradient by block", alt=alt, height=300)
    st.caption(f"{alt} Computed here with the first weights of lesson-skips, on {_NUM_IMAGES} test images.")


@st.cache_data(show_spinner="Computing the gradients…")
def _gradients() -> dict[str, list[float]]:
    """By run, of the models before training."""
    from deit_core.lessons.gradients import at_the_start

    spec = presets.get("lesson-skips")
    assert isinstance(spec, ExperimentSpec)
    loaded = test_source(spec.runs[0].data)
    if loaded is None:
        return {}
    pictures, labels = np.asarray(loaded.test_images[:_NUM_IMAGES]), loaded.test_labels[:_NUM_IMAGES]
    return {run.name: at_the_start(run, pictures, labels, len(loaded.classes)) for run in spec.runs}
