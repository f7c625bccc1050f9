"""The verdict on two runs: who is ahead, whether that is chance, what is odd, and what to try next.

Knows sentences and widgets; `deit_core.analysis` decides.
"""

import streamlit as st

from dashboard.text import escape
from dashboard.verdicts.pairs import Judged


def show_verdict(pair: Judged) -> None:
    first, *others = pair.verdict.sentences
    with st.container(border=True):
        classes = " ".join(pair.verdict.class_sentences)
        st.markdown(f"**{escape(first)}**\n\n{escape(' '.join(others))}\n\n{escape(classes)}")
        for sentence in (*pair.verdict.warnings, *pair.notes):
            st.warning(escape(sentence))
        if pair.verdict.next_steps:
            st.caption(f"Next: {escape(' '.join(pair.verdict.next_steps))}")
