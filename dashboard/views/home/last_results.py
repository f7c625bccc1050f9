"""The last experiments that have ended, with a verdict on each."""

from collections.abc import Sequence

import streamlit as st

from dashboard import state
from dashboard.navigation import open_page
from dashboard.run_status import newest_pair
from dashboard.text import escape
from deit_core.errors import RunError
from deit_core.metrics import TEST_ACCURACY
from deit_core.results.two_runs import compare_runs
from deit_core.runs import Run

_SHOWN = 3


def last_results(runs: Sequence[Run]) -> None:
    pairs = [pair for pair in _pairs(runs)[:_SHOWN] if pair]
    if not pairs:
        return
    st.subheader("Last results")
    for vit, deit in pairs:
        with st.container(border=True):
            title = escape(vit.experiment_name or "")
            st.markdown(f"**{title}**{' (demo)' if vit.is_demo else ''}: {escape(_verdict(vit, deit))}")
            with st.container(horizontal=True):
                if _button("Compare", ":material/compare_arrows:", deit):
                    st.session_state["compare"] = [vit.id, deit.id]
                    open_page("compare")
                if _button("See where they look", ":material/visibility:", deit):
                    st.session_state.update(att_left=vit.id, att_right=deit.id)
                    open_page("attention")


def _button(words: str, icon: str, run: Run) -> bool:
    return st.button(words, key=f"home-{words}-{run.id}", type="tertiary", icon=icon)


def _pairs(runs: Sequence[Run]) -> list[list[Run]]:
    """The ViT and the DeiT of each experiment, the newest first."""
    by_experiment: dict[str, list[Run]] = {}
    for run in runs:
        if run.experiment_id is not None:
            by_experiment.setdefault(run.experiment_id, []).append(run)
    return [pair for group in by_experiment.values() if (pair := newest_pair(group))]


def _verdict(vit: Run, deit: Run) -> str:
    predictions = [state.files_of(run).predictions for run in (vit, deit)]
    try:
        return _sentence(vit.id, deit.id, [file.stat().st_mtime_ns if file.exists() else 0 for file in predictions])
    except RunError:  # a run of an older version has no predictions
        return ", ".join(f"{run.name} {run.results[TEST_ACCURACY]:.1%}" for run in (vit, deit)) + " on test images."


@st.cache_data(max_entries=32, show_spinner=False)
def _sentence(vit_id: str, deit_id: str, _changed_at: list[int]) -> str:
    return compare_runs(state.run_reader(), state.settings().runs_dir, vit_id, deit_id).verdict.sentences[0]
