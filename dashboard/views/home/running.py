"""What trains now, and what waits."""

from collections.abc import Sequence

import streamlit as st

from dashboard.navigation import link
from dashboard.run_status import explain, is_live, label
from dashboard.text import escape, message
from deit_core.runs import Run, Status

_SHOWN = 3


def running(runs: Sequence[Run]) -> None:
    """Nothing where no run trains or waits."""
    if not (live := [run for run in runs if is_live(run, runs)]):
        return
    st.header("Now")
    live.sort(key=lambda run: (run.status != Status.RUNNING, run.number))
    for run in live[:_SHOWN]:
        st.progress(run.progress, f"**{escape(label(run))}** {message(explain(run, runs))}")
    if len(live) > _SHOWN:
        st.caption(f"And {len(live) - _SHOWN:,} more.")
    link("runs", "Watch on the Runs page")
