"""Accuracy against speed, as the DeiT paper draws it: what a better answer costs. Knows runs and widgets."""

from collections.abc import Sequence

import streamlit as st

from dashboard import state
from dashboard.components.live_chart import live_chart
from dashboard.run_status import label, looks_of
from dashboard.views.compare.result_rows import speed
from deit_core.metrics import IMAGES_PER_S, TEST_ACCURACY
from deit_core.results.answer_charts import speed_and_accuracy
from deit_core.runs import Run


def show_speed(runs: Sequence[Run]) -> None:
    """Of the runs that were tested and have a curve."""
    found = [
        (run, speeds[IMAGES_PER_S])
        for run in runs
        if TEST_ACCURACY in run.results and (speeds := speed(state.curves().of(run)))
    ]
    if not found:
        st.caption("No run is finished yet.")
        return
    points = [(label(run), images_per_s, run.results[TEST_ACCURACY]) for run, images_per_s in found]
    fastest, best = max(points, key=lambda point: point[1]), max(points, key=lambda point: point[2])
    live_chart(
        speed_and_accuracy(points, looks_of([run for run, _ in found])),
        key="compare_speed",
        alt=f"{fastest[0]} is the fastest with {fastest[1]:,.0f} images/s, {best[0]} the best with {best[2]:.1%}.",
        height=300,
        title="Accuracy against speed",
    )
    st.caption(
        "Images per second in training, on the machine and with the precision of each run: compare only runs of one "
        "machine. The DeiT paper has the same figure for the speed of prediction, on a GPU."
    )
