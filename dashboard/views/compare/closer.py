"""A closer look at the first run and another one, section by section, each computed when it is opened.

Knows the order of the sections and which runs go together; not what a section shows.
"""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.state import has_predictions
from dashboard.text import message
from dashboard.verdicts.pairs import Judged, answers_of, judge_pair, moment_of
from dashboard.views.compare.confidence import show_calibration
from dashboard.views.compare.missing_answers import offer_predictions
from dashboard.views.compare.passed_on import show_passed_on
from dashboard.views.compare.wrong_answers import show_mistakes
from deit_core.analysis import seed_groups
from deit_core.errors import DeitError
from deit_core.results.two_runs import TwoRuns
from deit_core.runs import Run, Status

_SECTIONS: dict[str, tuple[str, Callable[[TwoRuns], None]]] = {
    "compare_mistakes": ("Mistakes: who is wrong where", show_mistakes),
    "compare_passed_on": ("What the teacher passed on", show_passed_on),
    "compare_calibration": ("Calibration: is a model right as often as it says?", show_calibration),
}


def judge_pairs(chosen: Sequence[Run], runs: list[Run]) -> list[Judged]:
    """The first finished run with each other, where both keep their answers; of a recipe's seeds one, if possible the
    first's. Says what is missing.
    """
    finished = [run for run in chosen if run.status == Status.COMPLETED]
    offer_predictions(finished)
    answered = [run for run in finished if has_predictions(run)]
    if not answered:
        return []
    first, *others = answered
    specs = {run.id: run.spec for run in runs}
    by_id = {run.id: run for run in others}
    found, moment = [], moment_of(runs)
    for group in seed_groups([first.id, *by_id], specs):
        if first.id in group:
            continue
        other = next((by_id[run_id] for run_id in group if specs[run_id].seed == first.spec.seed), by_id[group[0]])
        try:
            found.append(judge_pair(first, other, moment))
        except DeitError as error:
            st.info(message(str(error)))
    return found


def show_closer(pairs: Sequence[Judged]) -> None:
    pair = pairs[0]
    if len(pairs) > 1:
        names = [" and ".join(one.verdict.names) for one in pairs]
        chosen = st.selectbox("Look closer at", range(len(pairs)), format_func=names.__getitem__, key="compare_closer")
        pair = pairs[chosen]
    for key, (title, show) in _SECTIONS.items():
        section = st.expander(title, key=key, on_change="rerun")
        if section.open:
            with section:
                show(answers_of(pair))
