"""Test images with what each model answers, and the way from one of them to the Attention page.

Knows pictures and widgets; a data set may not be on this machine any more.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.panels import Panel, Pick, panels
from dashboard.components.png import png
from dashboard.navigation import open_page
from dashboard.pictures.answered_images import images_answered
from dashboard.text import escape
from deit_core.analysis.probabilities import softmax
from deit_core.results.two_runs import TwoRuns

if TYPE_CHECKING:
    from deit_core.data import Source

_NUM_SHOWN, _PER_ROW = 24, 8
_CHOSEN = "compare_image"


def gallery(two: TwoRuns, images: NDArray[np.int64]) -> None:
    """Args: images: numbers of test images, the order of the pictures."""
    if not len(images):
        st.caption("There is no such image.")
        return
    if two.part != "test":
        st.caption("These runs are judged by validation images, which are not shown.")
        return
    source, caption = images_answered(two.first.run.spec.data, two.labels)
    if caption:
        st.caption(escape(caption))
    if source is None:
        return
    images = images[images < len(source.test_labels)]
    if not len(images):
        return
    num_pages = math.ceil(len(images) / _NUM_SHOWN)
    number = (
        st.number_input(f"Page, of {num_pages}", 1, num_pages, key="compare_page", width=160) if num_pages > 1 else 1
    )
    shown = images[_NUM_SHOWN * (number - 1) : _NUM_SHOWN * number].tolist()
    chosen: int = st.session_state.get(_CHOSEN, -1)
    starts = range(0, len(shown), _PER_ROW)
    rows: list[list[Panel | None]] = [
        [_panel(two, source, image, is_chosen=image == chosen) for image in shown[start : start + _PER_ROW]]
        for start in starts
    ]
    rows[-1] += [None] * (len(rows[0]) - len(rows[-1]))

    def choose(pick: Pick) -> None:
        st.session_state[_CHOSEN] = shown[_PER_ROW * pick.row + pick.column]

    panels(rows, key="compare_gallery", pick="panel", on_pick=choose, min_width=90, max_width=130)
    names = ", ".join(escape(one.name) for one in two.models)
    st.caption(
        f"Below each image: its true class, then what {names} answer, in this order; ✓ is right, ✗ wrong. Choose an "
        "image to look closer."
    )
    if chosen in shown:
        _closer(two, source, chosen)


def _panel(two: TwoRuns, source: "Source", image: int, *, is_chosen: bool) -> Panel:
    truth = two.classes[two.labels[image]]
    answers = [(one.name, two.classes[one.decisions[image]]) for one in two.models]
    lines = [f"{'✓' if answer == truth else '✗'} {answer}" for _, answer in answers]
    words = ", ".join(f"{name} answers {answer}" for name, answer in answers)
    return Panel(
        _picture(source, image),
        alt=f"Test image {image}, true class {truth}: {words}.",
        caption=f"{truth}: {' '.join(lines)}",
        chosen=is_chosen,
    )


def _picture(source: "Source", image: int) -> bytes:
    from deit_core.data.sources.source import source_picture

    return png(source_picture(source, image))


def _closer(two: TwoRuns, source: "Source", image: int) -> None:
    """All answers to one image, with their probabilities."""
    label = int(two.labels[image])
    st.markdown(f"**Test image {image}**, true class {escape(two.classes[label])}")
    st.table(
        [_row(one.name, one.predictions.logits[image], label, two.classes) for one in two.models],
        border="horizontal",
        hide_index=True,
        alt="What each model answers",
    )
    is_wanted = st.button(
        "Look at it in Attention",
        icon=":material/visibility:",
        key="compare_open",
        on_click=_prepare_attention,
        args=(two, source, image),
    )
    if is_wanted:
        open_page("attention")


def _row(name: str, logits: NDArray[np.float32], label: int, classes: tuple[str, ...]) -> dict[str, str]:
    chances = softmax(logits[None])[0]
    answer = int(chances.argmax())
    return {
        "Model": escape(name),
        "Answer": f"{'✓' if answer == label else '✗'} {escape(classes[answer])}",
        "Its probability": f"{chances[answer]:.1%}",
        "Probability of the true class": f"{chances[label]:.1%}",
    }


def _prepare_attention(two: TwoRuns, source: "Source", image: int) -> None:
    """Let the Attention page open with this image and with the transformers among the models."""
    from deit_core.data.sources.source import find_examples

    label = int(two.labels[image])
    number = find_examples(source, label).index(image) + 1
    shown = [one.run.id for one in (two.first, two.second) if one.run.spec.model.family == "vit"]
    state: dict[str, Any] = {
        "att_picture": "Test set",
        "att_class": two.classes[label],
        "att_image": number,
        "att_count": 1,
    }
    state |= dict(zip(("att_left", "att_right"), shown, strict=False))
    st.session_state.update(state)
