"""The way to the Attention page with the same picture and the same transformers. Knows what that page is set by."""

from collections.abc import Sequence

import streamlit as st

from dashboard.navigation import open_page
from dashboard.pictures.picture_choice import hand_on
from dashboard.views.predict.asked_models import transformers
from deit_core.runs import Run


def offer(models: Sequence[Run], this_page: str) -> None:
    """A button, where Attention can show one of the models."""
    ids = [run.id for run in transformers(models)][:2]
    if ids and st.button(
        "Look closer in Attention",
        icon=":material/visibility:",
        key="predict_open",
        on_click=_prepare,
        args=(ids, this_page),
    ):
        open_page("attention")


def _prepare(ids: Sequence[str], this_page: str) -> None:
    hand_on(this_page, "att")
    left, right = [*ids, ""][:2]
    st.session_state.update({"att_left": left, "att_right": right})
