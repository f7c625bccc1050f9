"""The training that a lesson needs: a button that starts its preset, then how far it is."""

import streamlit as st

from dashboard.lessons.evidence import latest
from dashboard.navigation import link
from dashboard.notebooks import offer_notebook
from dashboard.reach import DEMO, may
from dashboard.run_status import explain, is_live, label
from dashboard.state import launcher, runs
from dashboard.text import escape, message
from deit_core import presets
from deit_core.errors import DeitError
from deit_core.runs import Status
from deit_core.spec import trainings
from deit_core.wording import counted

_POLL_S = 3


def training(preset: str) -> None:
    started = latest(preset)
    if any(is_live(run, started) for run in started):
        _follow(preset)
        return
    if started and all(run.status == Status.COMPLETED for run in started):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"You have trained {preset}.", width="content")
            offer_notebook(started, key=f"learn_notebook_{preset}")
        return
    if not may("start"):
        st.info(DEMO)
        return
    if started:
        st.warning(f"Not all runs of {preset} are completed. Resume them on the Runs page, or start again.")
        link("runs", "Open Runs")
    spec = presets.get(preset)
    names = [run.name for run in trainings(spec)]
    with st.container(horizontal=True, vertical_alignment="center"):
        is_asked = st.button(f"Train {preset}", icon=":material/play_arrow:", key=f"learn_train_{preset}")
        st.caption(
            f"{counted(len(names), 'run')}: {', '.join(names)}. Not needed: without them the lesson shows numbers that "
            "were measured before."
        )
    if is_asked:
        try:
            launcher().submit(spec)
        except DeitError as error:
            st.error(message(str(error)))
            return
        st.rerun()


@st.fragment(run_every=_POLL_S)
def _follow(preset: str) -> None:
    started = latest(preset)
    live = [run for run in started if is_live(run, runs())]
    if not live:
        st.rerun()
    done = sum(run.status == Status.COMPLETED for run in started)
    progress = sum(run.progress for run in started) / len(started)
    now = next((run for run in live if run.status == Status.RUNNING), live[0])
    st.progress(
        progress,
        f"{preset}: {done} of {len(started)} runs completed. **{escape(label(now))}** {message(explain(now, runs()))}",
    )
    st.caption("Read on: training goes on when you leave this page, and the answer comes by itself.")
