"""A button that makes what a run of an older version did not keep: its predictions, and a student's training views.

Knows one process and widgets.
"""

from collections.abc import Sequence

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.reach import may, shown
from dashboard.run_status import label
from dashboard.state import files_of, has_predictions
from dashboard.text import escape, message
from dashboard.verdicts.pairs import predictor
from deit_core.runs import Run

_ERROR = "predictions_error"


def offer_predictions(runs: Sequence[Run]) -> None:
    """The button for the first of these finished runs that kept no predictions."""
    if error := st.session_state.pop(_ERROR, ""):
        st.error(message(error))
    if gone := [run for run in runs if not files_of(run).folder.is_dir()]:
        st.caption(
            f"The files of {escape(', '.join(map(label, gone)))} are gone, and so are the predictions; put the "
            "folder back, or delete the run."
        )
    if without := [run for run in runs if run not in gone and not has_predictions(run)]:
        names = ", ".join(map(label, without))
        reason = f"There are no predictions of {names}, so no verdict and no mistakes yet."
        _offer(without, reason, key="predictions")


def offer_views(run: Run) -> None:
    """The button for a student that kept no training views."""
    if not run.is_demo:
        _offer([run], f"There are no training views of {label(run)} yet.", key=f"views_{run.id}")


def _offer(without: Sequence[Run], reason: str, *, key: str) -> None:
    maker = predictor()
    at_work = next((run for run in without if maker.is_at_work(run.id)), None)
    if at_work is not None:
        st.info(escape(f"Making the predictions of {label(at_work)}. {shown(maker.last_words(at_work.id))}"))
        st.button("Look again", icon=":material/refresh:", key=f"{key}_refresh")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if may("start"):
            st.button(
                "Make the predictions",
                icon=":material/calculate:",
                key=f"{key}_make",
                on_click=_make,
                args=(without[0],),
                help="Asks the finished model about each test image, once. You can use the page meanwhile.",
            )
        st.caption(escape(reason))
    if words := maker.last_words(without[0].id):
        st.caption(escape(shown(words)))


def _make(run: Run) -> None:
    with errors_as_messages(lambda sentence: st.session_state.update({_ERROR: sentence})):
        predictor().request(run)
