"""A button that saves an experiment as a Jupyter notebook. Knows runs; `deit_core` writes what stands in it."""

from collections.abc import Sequence

import streamlit as st

from dashboard.state import run_reader
from deit_core.results.experiment_notebook import notebook_of
from deit_core.runs import Run


def offer_notebook(runs: Sequence[Run], *, key: str) -> None:
    """Nothing where the runs are not all of one experiment."""
    experiment, *others = {run.experiment_id for run in runs}
    if experiment is None or others:
        return
    st.download_button(
        "Export as notebook",
        lambda: notebook_of(run_reader(), experiment),
        file_name=f"{runs[0].experiment_name}.ipynb",
        mime="application/x-ipynb+json",
        icon=":material/download:",
        on_click="ignore",
        help="A Jupyter notebook that trains this experiment again and puts both results side by side.",
        key=key,
    )
