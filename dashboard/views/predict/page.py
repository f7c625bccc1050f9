"""Predict: one picture, and what teacher, ViT and DeiT say of it at once.

The parts of the page are in this folder and in dashboard/pictures; this file puts them in their places.
"""

from collections.abc import Sequence

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.navigation import link
from dashboard.pictures import picture_choice as pictures
from dashboard.state import runs as all_runs
from dashboard.text import escape
from dashboard.views.predict import answers, asked_models, way_to_attention
from deit_core.errors import DataError
from deit_core.runs import Run

_PAGE = "predict"
# Where Streamlit stacks columns too: next to the controls a phone has no room for answers.
_STACKED = "@media (max-width: 640px) { .st-key-predict_parts > div { min-width: 100% } }"


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
        st.info("No run has finished yet. Come back when one has, to ask its model about a picture.")
        link("runs", "See how far the runs are")
    else:
        st.info("There is no finished run yet. Train digits-quick first: it takes about a minute, without a download.")
        link("train", "Train digits-quick")


@st.fragment
@errors_as_messages()
def _ask(finished: Sequence[Run]) -> None:
    models = asked_models.choose(finished)
    if not models:
        st.caption("Choose a model, and it says what it takes the picture for.")
        return
    st.html(f"<style>{_STACKED}</style>")
    with st.container(horizontal=True, gap="medium", key="predict_parts"):
        side, main = st.container(width=300), st.container(width="stretch")
    with side:
        load = pictures.choose(asked_models.data_of(models), page=_PAGE, several=False)
        seen = st.container()
    with main:
        try:
            with st.spinner("Loading the picture"):
                loaded = load()
        except DataError as error:
            st.error(escape(str(error)))
            return
        if not loaded:
            return
        answers.draw(loaded[0], models, seen)
        way_to_attention.offer(models, _PAGE)
