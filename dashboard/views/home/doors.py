"""Three ways to begin: look, train, learn."""

import streamlit as st

from dashboard.navigation import link, open_page
from dashboard.reach import may
from dashboard.state import launcher, settings
from dashboard.text import message
from deit_core import presets
from deit_core.errors import DeitError
from deit_core.runs.estimates import Estimates
from deit_core.spec import ExperimentSpec

_FIRST = "scattered-quick"


def doors() -> None:
    look, train, learn = st.columns(3)
    with look.container(border=True, height="stretch"):
        st.markdown("**See what a transformer looks at**")
        st.caption("Attention maps of a trained ViT and DeiT, and controls to change them.")
        link("attention", "Open Attention")
    with train.container(border=True, height="stretch"):
        st.markdown(f"**Train your first distilled transformer: {_time()}**")
        st.caption(
            "A teacher, a ViT and a DeiT on handwritten digits. No download; training goes on when you close the page."
        )
        if st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=not may("start")):
            _start()
    with learn.container(border=True, height="stretch"):
        st.markdown("**Learn how it works**")
        st.caption("Eight lessons: guess first, then see what the models say.")
        link("learn", "Open Learn")


def _time() -> str:
    """As measured on this machine, or else where the preset was last measured."""
    spec = presets.get(_FIRST)
    assert isinstance(spec, ExperimentSpec)
    assert spec.expectation is not None
    measured = Estimates(settings()).get(spec)
    seconds = measured.duration_s if measured and not measured.error else spec.expectation.duration_s
    minutes = max(1, round(seconds / 60))
    return f"about {minutes} minute{'s' if minutes > 1 else ''}"


def _start() -> None:
    try:
        run_ids = launcher().submit(presets.get(_FIRST))
    except DeitError as error:
        st.error(message(str(error)))
        return
    st.session_state["runs"] = run_ids  # what the Runs page shows
    open_page("runs")
