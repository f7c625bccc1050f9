"""What became of a ViT and a DeiT that were trained together: a verdict in a sentence, and the ways on."""

from collections.abc import Sequence

import streamlit as st

from dashboard.navigation import open_page
from dashboard.run_status import newest_pair
from dashboard.text import escape
from dashboard.verdicts.pairs import judge_pair, moment_of
from deit_core.errors import RunError
from deit_core.metrics import TEST_ACCURACY
from deit_core.runs import Run


def show_outcome_of(pair: Sequence[Run], runs: Sequence[Run], *, key: str) -> None:
    """Args: pair: a ViT and a DeiT, both completed. runs: all runs. key: tells the buttons of two places apart."""
    vit, deit = pair
    demo = " (demo)" if vit.is_demo else ""
    st.markdown(f"**{escape(vit.experiment_name or '')}**{demo}: {escape(_sentence(vit, deit, runs))}")
    with st.container(horizontal=True):
        if st.button("Compare", key=f"{key}-compare", type="tertiary", icon=":material/compare_arrows:"):
            st.session_state["compare"] = [vit.id, deit.id]
            open_page("compare")
        if st.button("See where they look", key=f"{key}-look", type="tertiary", icon=":material/visibility:"):
            st.session_state.update(att_left=vit.id, att_right=deit.id)
            open_page("attention")


def pairs_of_experiments(runs: Sequence[Run]) -> list[list[Run]]:
    """The completed ViT and DeiT of each experiment that has both; `runs` come newest first, and so do these."""
    by_experiment: dict[str, list[Run]] = {}
    for run in runs:
        if run.experiment_id is not None:
            by_experiment.setdefault(run.experiment_id, []).append(run)
    return [pair for group in by_experiment.values() if (pair := newest_pair(group))]


def _sentence(vit: Run, deit: Run, runs: Sequence[Run]) -> str:
    try:
        return judge_pair(vit, deit, moment_of(runs)).verdict.sentences[0]
    except RunError:  # a run of an older version has no predictions
        known = [f"{run.name} {run.results[TEST_ACCURACY]:.1%}" for run in (vit, deit) if TEST_ACCURACY in run.results]
        return f"{', '.join(known)} on test images." if known else "both are completed."
