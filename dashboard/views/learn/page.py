"""Learn: the course of eight lessons, and the models explained on one page.

The address says which lesson is open (`lesson`) and what was guessed (`guess`), so both survive a reload.
"""

import streamlit as st

from dashboard.lessons import panel
from dashboard.lessons.words import style
from dashboard.views.learn import contents, lesson_page
from dashboard.views.learn.article import article

_WIDTH = 960  # px: longer lines are hard to read, also on a projector


def render() -> None:
    style()
    number = panel.asked()
    # A link to the page that is open already reaches this page but not the browser's address (Streamlit 1.67).
    st.query_params.from_dict({} if number is None else panel.back(number))
    if number is not None:
        with st.container(width=_WIDTH):
            lesson_page.draw(number)
        return
    st.title("Learn")
    contents.draw()
    st.divider()
    with st.container(width=_WIDTH):
        article()
