"""Predict: one picture, and what teacher, ViT and DeiT say of it at once.

The parts of the page are in this folder and in dashboard/pictures; this file puts them in their places.
"""

from collections.abc import Sequence

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.navigation import link
from dashboard.pictures import picture_choice as pictures
from dashboard.pictures.page_parts import loaded_or_reason, side_and_main
from dashboard.state import runs as all_runs
from dashboard.views.predict import answers, asked_models, way_to_attention
from deit_core.runs import Run

_PAGE = "predict"


def render() -> None:
    st.title("Predict")
    runs = all_runs()
    finished = asked_models.finished(runs)
    if finished:
        _ask(finished)
    else:
        _say_what_to_do(runs)


def _say_what_to_do(runs: Sequence[Run]) -> None:
    if any(run.status.is_active for run in runs):
        st.info("No run has finished yet. Come back after that, to ask its model about a picture.")
        link("runs", "See how far the runs are")
    else:
        st.info("There is no finished run yet. Train digits-quick first: it takes about a minute, without a download.")
        link("train", "Train digits-quick")


@st.fragment
@errors_as_messages()
def _ask(finished: Sequence[Run]) -> None:
    models = asked_models.choose(finished)
    if not models:
        st.caption("Choose a model to see its answer.")
        return
    side, main = side_and_main("predict", side_width=300)
    with side:
        load = pictures.choose(asked_models.data_of(models), page=_PAGE, several=False)
        seen = st.container()
    with main:
        loaded = loaded_or_reason(load)
        if not loaded:
            return
        answers.draw(loaded[0], models, seen)
        way_to_attention.offer(models, _PAGE)
