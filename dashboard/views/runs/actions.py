"""What a user can do with runs: stop, resume, delete, edit; one run, or many at once.

An error message stays until the next attempt: a redraw would remove it at once.
"""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.live.line import live_line
from dashboard.navigation import link
from dashboard.reach import may
from dashboard.run_status import explain, label, tone, word
from dashboard.state import check_paths, launcher, shown_spec
from dashboard.text import escape, message
from deit_core.runs import Run, Status
from deit_core.runs.bulk import for_each, newest_first

_REFUSALS = 5  # that a message names


def show_outcome() -> None:
    """The message on the last attempt."""
    if done := st.session_state.get("run_done"):
        st.success(done)
    if error := st.session_state.get("run_error"):
        st.error(message(error))


def actions(run: Run, runs: Sequence[Run]) -> None:
    """One line on a run, with the buttons that its status allows."""
    status = word(run, runs)
    with st.container(horizontal=True, vertical_alignment="center", key=f"actions-{run.id}"):
        st.markdown(f"**{escape(label(run))}** :{tone(status)}-badge[{status}]", width="content")
        if run.status == Status.RUNNING:
            live_line(run.id, explain(run, runs), key=f"line-{run.id}")
        else:
            st.markdown(message(explain(run, runs)), width="stretch")
        if run.status.is_active and not run.stop_requested and may("stop"):
            _button("Stop", run, launcher().stop)
        if run.status.can_resume and may("resume"):
            _button("Resume", run, _resume)
        if not run.status.is_active and may("start"):
            _edit_and_rerun(run)
        can_delete = run.status != Status.RUNNING and may("delete") and not run.is_demo
        if can_delete and st.button("Delete", key=f"delete-{run.id}", type="tertiary"):
            _confirm_delete(run)


def actions_on_many(chosen: Sequence[Run], listed: Sequence[Run]) -> None:
    """Buttons that stop or delete several runs: the chosen ones, and all that the filter of the table leaves."""
    chosen, listed = ([run for run in runs if not run.is_demo] for runs in (chosen, listed))
    groups = {"chosen": chosen} if len(chosen) > 1 else {}
    if len(listed) > 1 and len(listed) != len(chosen):
        groups["listed"] = listed
    if not groups or not (may("stop") or may("delete")):
        return
    with st.popover("Stop or delete several"):
        for name, group in groups.items():
            can_stop = [run for run in group if run.status.is_active and not run.stop_requested]
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"The {len(group):,} {name} runs", width="content")
                if st.button("Stop", key=f"stop_{name}", disabled=not (can_stop and may("stop"))):
                    _confirm_many("stop", can_stop)
                if st.button("Delete", key=f"delete_{name}", disabled=not may("delete")):
                    _confirm_many("delete", group)
        st.caption("The listed runs are all runs that match the search and the filters, on all pages of the table.")


def _edit_and_rerun(run: Run) -> None:
    """A button that opens the run's settings on the Train page, and then a link there."""
    if st.session_state.get("opened_spec", ("", b""))[0] == label(run):
        link("train", "Its settings are open on the Train page")
    else:
        st.button("Edit and rerun", key=f"edit-{run.id}", type="tertiary", on_click=_open_spec, args=(run,))


def _open_spec(run: Run) -> None:
    st.session_state["opened_spec"] = (label(run), shown_spec(run).model_dump_json().encode())  # as a file would be


def _button(name: str, run: Run, action: Callable[[str], None]) -> None:
    st.button(name, key=f"{name}-{run.id}", on_click=_attempt, args=(action, run.id))


def _resume(run_id: str) -> None:
    check_paths(launcher().store.run(run_id).spec)
    launcher().resume(run_id)


def _attempt(action: Callable[[str], None], run_id: str) -> None:
    _forget_outcome()
    with errors_as_messages(lambda sentence: st.session_state.update(run_error=sentence)):
        action(run_id)


def _attempt_many(verb: str, run_ids: Sequence[str]) -> None:
    """Do it for each run that allows it, and keep a message on both."""
    _forget_outcome()
    refusals = for_each(run_ids, launcher().stop if verb == "stop" else launcher().delete)
    if num_done := len(run_ids) - len(refusals):
        runs, done = "run" if num_done == 1 else "runs", "asked to stop" if verb == "stop" else "deleted"
        st.session_state["run_done"] = f"{num_done:,} {runs} {done}."
    if refusals:
        others = len(refusals) - _REFUSALS
        sentences = [str(error) for error in refusals[:_REFUSALS]]
        sentences += [f"And {others:,} more."] if others > 0 else []
        st.session_state["run_error"] = " ".join(sentences)


def _forget_outcome() -> None:
    for key in ("run_done", "run_error"):
        st.session_state.pop(key, None)


@st.dialog("Delete this run?")
def _confirm_delete(run: Run) -> None:
    st.markdown(
        f"This deletes run **{escape(label(run))}** with its curves, its log and its checkpoints. It cannot be undone."
    )
    with st.container(horizontal=True):
        arguments = (launcher().delete, run.id)
        is_sure = st.button("Delete", key="delete", type="primary", on_click=_attempt, args=arguments)
        if st.button("Keep", key="keep") or is_sure:
            st.rerun()


@st.dialog("Are you sure?")
def _confirm_many(verb: str, runs: Sequence[Run]) -> None:
    names = escape(", ".join(label(run) for run in runs[:_REFUSALS]))
    names += f" and {len(runs) - _REFUSALS:,} more" if len(runs) > _REFUSALS else ""
    if verb == "stop":
        st.markdown(f"This stops **{len(runs):,} runs**: {names}. Each can be resumed later.")
    else:
        st.markdown(
            f"This deletes **{len(runs):,} runs** with their curves, logs and checkpoints: {names}. It cannot be "
            "undone."
        )
    with st.container(horizontal=True):
        arguments = (verb, newest_first(runs))
        label_of_button = f"{verb.capitalize()} {len(runs):,} runs"
        is_sure = st.button(label_of_button, key="many", type="primary", on_click=_attempt_many, args=arguments)
        if st.button("Cancel", key="cancel_many") or is_sure:
            st.rerun()
