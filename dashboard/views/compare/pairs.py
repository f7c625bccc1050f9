"""Predictions for pages: two runs with what they answered, read once for all visitors, and made where a run has none.

Knows caches and one process; no widgets.
"""

from pathlib import Path

import streamlit as st

from dashboard import state
from deit_core.results.two_runs import TwoRuns, compare_runs
from deit_core.runs import Run
from deit_core.runs.predictor import Predictor


@st.cache_resource(show_spinner=False)
def predictor() -> Predictor:
    return Predictor(state.settings())


def two_runs(first: Run, second: Run, runs: list[Run]) -> TwoRuns:
    """Two runs with what they answered, and with their teacher and seeds among `runs`.

    Raises: RunError where they cannot be compared.
    """
    changes = tuple((run.id, *_changed_at(run)) for run in runs if run.results)
    return _two_runs(first.id, second.id, changes)


def _changed_at(run: Run) -> tuple[int, int]:
    """Of predictions and training views."""
    files = state.files_of(run)
    return _time_of(files.predictions), _time_of(files.views)


def _time_of(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


@st.cache_resource(max_entries=8, show_spinner="Comparing the answers…")
def _two_runs(first_id: str, second_id: str, _changes: tuple[tuple[str, int, int], ...]) -> TwoRuns:
    return compare_runs(state.run_reader(), state.settings().runs_dir, first_id, second_id)
