"""The runs whose rows in the store cannot be read: why, and a button that deletes one."""

from collections.abc import Sequence

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.reach import may
from dashboard.state import launcher
from dashboard.text import escape, message
from deit_core.runs import UnreadableRun

_SHOWN = 20


def show_unreadable(runs: Sequence[UnreadableRun]) -> None:
    """Nothing where every run can be read."""
    if error := st.session_state.get("unreadable_error"):
        st.error(message(error))
    if not runs:
        return
    count = "1 run cannot be shown" if len(runs) == 1 else f"{len(runs):,} runs cannot be shown"
    st.warning(f"{count}; the other runs are as they were.")
    with st.container(gap="xxsmall"):
        for run in runs[:_SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**Run {run.number}**: {escape(run.reason)}.", width="stretch")
                if may("delete") and st.button("Delete", key=f"delete-unreadable-{run.number}", type="tertiary"):
                    _confirm_delete(run)


@st.dialog("Delete this run?")
def _confirm_delete(run: UnreadableRun) -> None:
    st.markdown(
        f"This deletes run **{run.number}** with its curves, its log and its checkpoints. It cannot be undone. "
        "`python -m deit_core store rebuild` can repair it, if its folder is there."
    )
    with st.container(horizontal=True):
        is_sure = st.button("Delete", key="delete-unreadable", type="primary", on_click=_delete, args=(run,))
        if st.button("Keep", key="keep-unreadable") or is_sure:
            st.rerun()


def _delete(run: UnreadableRun) -> None:
    st.session_state.pop("unreadable_error", None)
    with errors_as_messages(lambda sentence: st.session_state.update(unreadable_error=sentence)):
        launcher().delete(str(run.number))
