"""The verdict on two runs: who is ahead, whether that is chance, what is odd, and what to try next.

Knows sentences and widgets; `deit_core.analysis` decides.
"""

from collections.abc import Sequence

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.reach import shown
from dashboard.run_status import label
from dashboard.state import files_of, has_predictions
from dashboard.text import escape
from dashboard.views.compare.pairs import Judged, predictor
from deit_core.runs import Run

_ERROR = "predictions_error"


def show_verdict(pair: Judged) -> None:
    first, *others = pair.verdict.sentences
    with st.container(border=True):
        st.markdown(f"**{escape(first)}**\n\n{escape(' '.join(others))}")
        for sentence in (*pair.verdict.warnings, *pair.notes):
            st.warning(escape(sentence))
        if pair.verdict.next_steps:
            st.caption(f"Next: {escape(' '.join(pair.verdict.next_steps))}")


def offer_predictions(runs: Sequence[Run]) -> None:
    """A button for finished runs of an older version, which kept no predictions."""
    if error := st.session_state.pop(_ERROR, ""):
        st.error(escape(error))
    gone = [run for run in runs if not files_of(run).folder.is_dir()]
    if gone:
        st.caption(
            f"The files of {escape(', '.join(map(label, gone)))} are gone, and with them what was answered; put the "
            "folder back, or delete the run."
        )
    without = [run for run in runs if run not in gone and not has_predictions(run)]
    if not without:
        return
    maker = predictor()
    at_work = next((run for run in without if maker.is_at_work(run.id)), None)
    if at_work is not None:
        st.info(escape(f"Making the predictions of {label(at_work)}. {shown(maker.last_words(at_work.id))}"))
        st.button("Look again", icon=":material/refresh:", key="predictions_refresh")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Make the predictions",
            icon=":material/calculate:",
            key="predictions_make",
            on_click=_make,
            args=(without[0],),
            help="Asks the finished model about each test image, once. It works beside the page.",
        )
        st.caption(
            f"There are no predictions of {escape(', '.join(map(label, without)))}, so no verdict and no mistakes yet."
        )
    if words := maker.last_words(without[0].id):
        st.caption(escape(shown(words)))


def _make(run: Run) -> None:
    with errors_as_messages(lambda sentence: st.session_state.update({_ERROR: sentence})):
        predictor().request(run)
