"""Attention: where a ViT and a DeiT look, with the controls of the rollout in hand.

The parts of the page are in this folder and in closer; this file puts them in their places.
"""

from collections.abc import Sequence

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.navigation import link
from dashboard.pictures import picture_choice as pictures
from dashboard.pictures.page_parts import loaded_or_reason, side_and_main
from dashboard.state import runs as all_runs
from dashboard.views.attention import map_table as table
from dashboard.views.attention import model_choice as models
from dashboard.views.attention.closer import chooser as closer
from dashboard.views.attention.controls import controls
from dashboard.views.attention.maps import columns
from deit_core.runs import Run

_WHAT_IT_IS = (
    "A rollout follows attention from the output back through the layers and shows where information could have "
    "flowed. It is the same for every class, and it does not show which patches decided the prediction."
)


def render() -> None:
    runs = all_runs()
    if models.ready(runs):
        _explore(runs)
    else:
        st.title("Attention")
        _say_what_to_do(runs)


def _say_what_to_do(runs: Sequence[Run]) -> None:
    students = [run for run in runs if run.spec.model.family == "vit"]
    if any(run.status.is_active for run in students):
        st.info("No ViT has finished its first epoch yet. Come back after that, to see where it looks.")
        link("runs", "See how far the runs are")
    elif runs and not students:
        st.info("Only CNNs have been trained so far, and a CNN has no attention to show. Train a ViT or a DeiT too.")
        link("train", "Train a ViT and a DeiT")
    else:
        st.info("There is no trained ViT yet. Train digits-quick first: it takes about a minute and needs no download.")
        link("train", "Train digits-quick")


@st.fragment
@errors_as_messages()
def _explore(runs: Sequence[Run]) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", key="att_head"):
        st.title("Attention", help=_WHAT_IT_IS, width="content")
        chooser = st.container(horizontal=True, horizontal_alignment="right", width="content", key="att_choice")
    side, main = side_and_main("att", side_width=188)
    with main.container(horizontal=True):
        choices = models.choose(models.ready(runs))
    with chooser:
        load = pictures.choose(choices[0].run.spec.data, page="att", several=True)
    with side:
        spec = controls(
            depth=max(choice.model.depth for choice in choices),
            num_heads=max(choice.model.num_heads for choice in choices),
            grid_side=max(choice.grid_side for choice in choices),
            classes=models.classes(choices[0]),
        )
    with main:
        shown = closer.choose_columns(columns(choices, models.teacher_of(choices, runs), spec))
        loaded = loaded_or_reason(load)
        if not loaded:
            return
        table.draw(loaded, shown, spec)
        closer.draw(loaded, shown, spec)
