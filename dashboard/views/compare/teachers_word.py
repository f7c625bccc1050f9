"""Training views on which a student's teacher contradicts the label, with its word. Knows pictures and widgets."""

from collections.abc import Sequence

import streamlit as st

from dashboard.components.panels import Panel, panels
from dashboard.components.png import png
from dashboard.reach import shown
from dashboard.text import escape
from dashboard.views.compare.missing_answers import offer_views
from deit_core.results.taught_views import TaughtViews

_PER_ROW = 8


def show_teachers_word(taught: TaughtViews, classes: Sequence[str]) -> None:
    if taught.is_missing:
        offer_views(taught.run)
        return
    st.markdown(escape(shown(taught.sentence)))
    views = taught.contradicted_views
    found = [
        Panel(png(one.picture), alt=one.alt(classes), caption=one.caption(classes))
        for one in views
        if one.picture is not None
    ]
    if not found:
        return
    places: list[Panel | None] = [*found, *[None] * (-len(found) % _PER_ROW)]
    rows = [places[start : start + _PER_ROW] for start in range(0, len(places), _PER_ROW)]
    panels(rows, key=f"compare_contradicted_{taught.run.id}", min_width=90, max_width=130)
    which = "All are shown" if len(found) == len(views) else f"The first {len(found)} are shown"
    st.caption(
        f"{which}, as they were trained on. Below each: its label, then the teacher's answer and its probability."
    )
