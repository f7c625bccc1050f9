"""The last experiments that have ended, with a verdict on each."""

from collections.abc import Sequence

import streamlit as st

from dashboard.verdicts.outcome import pairs_of_experiments, show_outcome_of
from deit_core.runs import Run

_SHOWN = 3


def last_results(runs: Sequence[Run]) -> None:
    """Nothing where no experiment has a completed ViT and DeiT."""
    if not (pairs := pairs_of_experiments(runs)[:_SHOWN]):
        return
    st.header("Last results")
    for pair in pairs:
        with st.container(border=True):
            show_outcome_of(pair, runs, key=f"home-{pair[1].id}")
