"""The verdict on two runs: who is ahead, whether that is chance, what is odd, and what to try next.

Knows sentences and widgets; `deit_core.analysis` decides.
"""

import streamlit as st

from dashboard.text import escape
from deit_core.results.two_runs import TwoRuns


def show_verdict(two: TwoRuns) -> None:
    first, *others = two.verdict.sentences
    with st.container(border=True):
        st.markdown(f"**{escape(first)}**\n\n{escape(' '.join(others))}")
        for sentence in (*two.verdict.warnings, *two.notes):
            st.warning(escape(sentence))
        if two.verdict.next_steps:
            st.caption(f"Next: {escape(' '.join(two.verdict.next_steps))}")
