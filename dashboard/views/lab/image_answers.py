"""The logits of a finished student and its teacher for a test image. Knows runs, what they answered, and widgets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from dashboard import state
from dashboard.address import whole_number
from dashboard.components.png import png
from dashboard.navigation import link
from dashboard.pictures.answered_images import images_answered
from dashboard.run_status import label
from dashboard.text import escape
from dashboard.views.lab.logits import Answers
from deit_core.errors import RunError
from deit_core.runs import Run

if TYPE_CHECKING:
    from deit_core.data import Source

_HEADS = {"Model": "logits", "Class head": "logits_class", "Distillation head": "logits_distillation"}
_SHOWN_SIDE = 128  # pixels of the page


def of_image() -> Answers | None:
    """Widgets that choose a student, one of its heads and a test image; None, with the reason, where there is none.

    Raises: RunError where predictions are damaged, or student and teacher were asked about different images.
    """
    runs = state.runs()
    taught = {label(run): (run, teacher) for run in runs if (teacher := _teacher(run, runs)) is not None}
    if not taught:
        st.info("There is no finished student yet whose teacher was trained here too. Train the three, then come back.")
        link("train", "Train a teacher, a ViT and a DeiT")
        return None
    picture, first, second, third = st.columns([2, 3, 2, 2], vertical_alignment="center")
    name = first.selectbox("Student", list(taught), key="lab_run")
    run, teacher = taught[name]
    student, own = (state.predictions(state.files_of(one).predictions) for one in (run, teacher))
    if student.facts.data_hash != own.facts.data_hash or not np.array_equal(student.test.labels, own.test.labels):
        raise RunError(f"{label(run)} and its teacher were asked about different images; choose another student.")
    arrays = student.test.arrays
    head = second.selectbox("Its answer", [title for title, key in _HEADS.items() if key in arrays], key="lab_head")
    number = whole_number("Test image", 0, len(student.test) - 1, key="lab_image", place=third)
    truth = int(student.test.labels[number])
    with picture:
        source, caption = images_answered(run.spec.data, student.test.labels)
        if source is not None and number < len(source.test_labels):
            _show(source, number, student.facts.classes[truth])
        elif caption:
            st.caption(escape(caption))
    return Answers(
        own.test.logits[number].tolist(), arrays[_HEADS[head]][number].tolist(), truth, list(student.facts.classes)
    )


def _teacher(run: Run, runs: Sequence[Run]) -> Run | None:
    """Of a finished student; None where one of both keeps no answers."""
    if run.spec.distillation is None or not state.has_predictions(run):
        return None
    named = run.spec.distillation.teacher
    return next((other for other in runs if other.id == named and state.has_predictions(other)), None)


def _show(source: "Source", number: int, truth: str) -> None:
    from deit_core.data.sources.source import source_picture

    picture = source_picture(source, number)
    scale = max(1, _SHOWN_SIDE // len(picture))
    enlarged = png(picture.repeat(scale, axis=0).repeat(scale, axis=1))  # a browser would blur it
    st.image(enlarged, width=_SHOWN_SIDE, caption=f"True class: {escape(truth)}", alt=f"Test image {number}, {truth}")
