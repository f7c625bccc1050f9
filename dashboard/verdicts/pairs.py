"""Pairs of runs for pages: their verdicts, and what they answered, computed once for all visitors; and the process that
makes predictions where a run has none.

A verdict is small, so many are kept; the answers of a pair are large, and only sections that are open need them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from dashboard import state
from deit_core.analysis import Verdict
from deit_core.results.two_runs import TwoRuns, compare_runs
from deit_core.runs import Run
from deit_core.runs.predictor import Predictor


class Judged(NamedTuple):
    """The verdict on two runs, by their ids, at a `moment` of all runs. `notes` are sentences on what is missing."""

    ids: tuple[str, str]
    moment: int
    verdict: Verdict
    notes: tuple[str, ...]


@st.cache_resource(show_spinner=False)
def predictor() -> Predictor:
    return Predictor(state.settings())


def moment_of(runs: Sequence[Run]) -> int:
    """A number that changes when a run is finished or deleted, or has other predictions."""
    files = [state.paths_of(run) for run in runs]
    changed_at = [(state.changed_at(one.predictions), state.changed_at(one.views)) for one in files]
    return hash(tuple((run.id, run.status, at) for run, at in zip(runs, changed_at, strict=True)))


def judge_pair(first: Run, second: Run, moment: int) -> Judged:
    """The verdict on two runs, by their teacher and seeds as well. Raises: RunError where they cannot be compared."""
    _bring(first, second)
    return _judged((first.id, second.id), moment)


def answers_of(pair: Judged) -> TwoRuns:
    """The same two runs with what they answered. Raises: RunError where they cannot be compared any more."""
    _bring(*map(state.run_reader().run, pair.ids))
    return _two_runs(pair.ids, pair.moment)


@st.cache_resource(max_entries=500, show_spinner="Comparing the answers…")
def _judged(ids: tuple[str, str], moment: int) -> Judged:
    two = _compare(ids)
    return Judged(ids, moment, two.verdict, two.notes)


@st.cache_resource(max_entries=2, show_spinner="Comparing the answers…")
def _two_runs(ids: tuple[str, str], moment: int) -> TwoRuns:
    return _compare(ids)


def _compare(ids: tuple[str, str]) -> TwoRuns:
    return compare_runs(state.run_reader(), state.settings().runs_dir, *ids, read=state.predictions)


def _bring(*runs: Run) -> None:
    """The files of runs and of their teachers, where they are published."""
    for run in runs:
        for one in (run, *map(state.run_reader().run, run.needs)):
            state.files_of(one)
