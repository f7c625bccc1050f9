"""The verdict on two runs: who is ahead, whether that is chance, what is odd, what to try next; and all of the
comparison as a file.

Knows sentences and widgets; `deit_core.analysis` decides.
"""

from functools import partial

import streamlit as st

from dashboard.state import settings
from dashboard.text import escape, message
from dashboard.verdicts.pairs import Judged, answers_of
from deit_core.plain_text import file_name


def show_verdict(pair: Judged) -> None:
    first, *others = pair.verdict.sentences
    with st.container(border=True):
        classes = " ".join(pair.verdict.class_sentences)
        st.markdown(f"**{escape(first)}**\n\n{escape(' '.join(others))}\n\n{escape(classes)}")
        for sentence in (*pair.verdict.warnings, *pair.notes):
            st.warning(message(sentence))
        if pair.verdict.next_steps:
            st.caption(f"Next: {escape(' '.join(pair.verdict.next_steps))}")
        st.download_button(
            "Download this comparison",
            partial(_page, pair),
            f"{file_name(' and '.join(pair.verdict.names))}.html",
            "text/html",
            key=f"compare_page_file_{'_'.join(pair.ids)}",
            on_click="ignore",
            icon=":material/download:",
            help="Verdict, tables, figures and images in one page that opens without a network.",
        )


def _page(pair: Judged) -> bytes:
    """Made when it is asked for."""
    from deit_core.results.comparison_html import comparison_html
    from deit_core.results.comparison_pictures import pictures_only_second_is_right_on

    two = answers_of(pair)
    return comparison_html(two, pictures_only_second_is_right_on(two, settings().data_dir)).encode()
