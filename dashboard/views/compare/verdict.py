"""The verdict on two runs: who is ahead, whether that is chance, what is odd, and what to try next.

Knows sentences and widgets; `deit_core.analysis` decides.
"""

from collections.abc import Sequence

import streamlit as st

from dashboard.reach import may, shown
from dashboard.run_status import label
from dashboard.text import escape
from dashboard.views.compare.pairs import has_predictions, predictor
from deit_core.results.two_runs import TwoRuns
from deit_core.runs import Run


def show_verdict(two: TwoRuns) -> None:
    first, *others = two.verdict.sentences
    with st.container(border=True):
        st.markdown(f"**{escape(first)}**\n\n{escape(' '.join(others))}")
        for sentence in (*two.verdict.warnings, *two.notes):
            st.warning(escape(sentence))
        if two.verdict.next_steps:
            st.caption(f"Next: {escape(' '.join(two.verdict.next_steps))}")


def offer_predictions(runs: Sequence[Run]) -> None:
    """A button for finished runs of an older version, which kept no predictions."""
    without = [run for run in runs if not has_predictions(run)]
    if not without:
        return
    maker = predictor()
    at_work = next((run for run in without if maker.is_at_work(run.id)), None)
    if at_work is not None:
        st.info(escape(f"Making the predictions of {label(at_work)}. {shown(maker.last_words(at_work.id))}"))
        st.button("Look again", icon=":material/refresh:", key="predictions_refresh")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if may("start"):
            st.button(
                "Make the predictions",
                icon=":material/calculate:",
                key="predictions_make",
                on_click=maker.request,
                args=(without[0],),
                help="Asks the finished model about each test image, once. It works beside the page.",
            )
        st.caption(
            f"There are no predictions of {escape(', '.join(map(label, without)))}, so no verdict and no mistakes yet."
        )
    if words := maker.last_words(without[0].id):
        st.caption(escape(shown(words)))
