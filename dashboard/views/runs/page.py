"""The Runs page: every run with its status and its actions, and live curves of the chosen runs.

Knows the store and the launcher; draws no curve itself (see curves.py) and never looks whether something is new (see
dashboard/live).
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import curves, machine
from dashboard.address_runs import take_runs, write_runs
from dashboard.error_messages import errors_as_messages
from dashboard.live import server as live
from dashboard.live.feed import live_feed
from dashboard.live.line import live_line
from dashboard.navigation import link
from dashboard.reach import may
from dashboard.run_status import explain, label, tone, word
from dashboard.state import launcher, settings, store
from dashboard.tables import matching, run_columns, run_table
from dashboard.text import escape
from dashboard.views.runs.unreadable import show_unreadable
from deit_core.runs import Run, Status, log_tail


def render() -> None:
    runs = store().runs()
    if not runs:
        st.title("Runs")
        show_unreadable()
        if store().is_there and not store().unreadable():
            st.info(
                "No run yet. Choose a preset on the Train page and start it; its curves appear here while it trains."
            )
        link("train", "Train a teacher, a ViT and a DeiT")
        _await_runs()
        return
    top = st.container()
    with st.container(horizontal=True):
        chosen = _choose(runs)
        if chosen:
            view = curves.controls()
            curves.download(chosen)
    middle, charts, bottom = st.container(), st.container(), st.container()
    drawn = live.drawn(runs, [run.id for run in chosen])
    with top:
        _progress(drawn, middle, bottom)  # before the curves: the title is in it
    with charts:
        if chosen:
            curves.draw(chosen, view, key="runs")
        else:
            st.caption("Select runs in the table to see their curves, and to stop, resume or delete them.")


@st.fragment
def _await_runs() -> None:
    if live_feed(live.drawn([], []), [], key="runs_feed") == "page":
        st.rerun()


@st.fragment
@errors_as_messages()
def _progress(drawn: live.Drawn, middle: DeltaGenerator, bottom: DeltaGenerator) -> None:
    """All that changes while runs train, except the curves; drawn again when the live feed asks for it."""
    launcher().ensure_workers()
    runs = store().runs()
    listed = _filter(runs)  # before the first component, with which Streamlit imports pandas
    with bottom:
        if live_feed(drawn, runs, key="runs_feed") == "page":
            st.rerun()
    by_id = {run.id: run for run in runs}
    chosen = [by_id[run_id] for run_id in st.session_state["runs"] if run_id in by_id]
    if {run.id for run in chosen} != drawn.seqs.keys():
        st.rerun()  # others were ticked, or one is deleted
    _table(listed, runs, chosen)
    with middle:
        if trouble := launcher().trouble:
            st.error(escape(trouble))
        show_unreadable()
        _show_error()
        with st.container(gap="xxsmall"):
            for run in chosen:
                _actions(run, runs)
    with bottom:
        _logs([run for run in chosen if run.started_at is not None])
        st.caption(machine.describe())


def _choose(runs: Sequence[Run]) -> list[Run]:
    """The runs that are shown below the table: named in the address, and at first the newest experiment's."""
    by_id = {run.id: run for run in runs}
    named = take_runs("runs", runs)
    if named is not None:
        st.session_state["runs"] = named
    elif "runs" not in st.session_state:
        newest = [run.id for run in runs if run.experiment_id and run.experiment_id == runs[0].experiment_id]
        st.session_state["runs"] = sorted(newest or [runs[0].id], key=lambda run_id: by_id[run_id].number)
    ids = st.multiselect(
        "Shown runs",
        list(by_id),
        format_func=lambda run_id: label(by_id[run_id]),
        key="runs",
        persist_state="session",
        placeholder="Choose runs, or select them in the table",
        label_visibility="collapsed",
        wrap=True,
    )
    write_runs("runs", ids)  # a reload shows them, whatever is newer
    return [by_id[run_id] for run_id in ids]


def _table(listed: Sequence[Run], runs: Sequence[Run], chosen: Sequence[Run]) -> None:
    if not listed:
        st.caption("No run matches; widen the filter.")
        return
    ids = [run.id for run in listed]
    ticked = sorted(ids.index(run.id) for run in chosen if run.id in ids)
    selection: Any = {"selection": {"rows": ticked}}
    shown = st.session_state.get("run_table")
    if shown is not None and sorted(shown["selection"]["rows"]) != ticked:
        st.session_state["run_table"] = selection  # rows moved, or runs were chosen elsewhere
    table = run_table(listed, runs)
    st.dataframe(
        table,
        column_config=run_columns(table, st.context.timezone),
        hide_index=True,
        height=min(35 * len(ids) + 38, 265),
        key="run_table",
        on_select=lambda: _tick(ids),
        selection_mode="multi-row",
        selection_default=selection,
        placeholder="",
        alt="All runs with their status, progress and accuracy",
    )


def _tick(ids: Sequence[str]) -> None:
    """Take over the selection in the table; runs that the filter hides stay chosen."""
    rows = st.session_state["run_table"]["selection"]["rows"]
    hidden = [run_id for run_id in st.session_state["runs"] if run_id not in ids]
    st.session_state["runs"] = hidden + [ids[row] for row in sorted(rows, reverse=True)]


def _filter(runs: Sequence[Run]) -> list[Run]:
    experiments = sorted({run.experiment_name for run in runs if run.experiment_name})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title("Runs", width="content")
        text = st.text_input(
            "Search",
            key="run_search",
            bind="query-params",
            type="search",
            placeholder="Name, model, tag, note",
            label_visibility="collapsed",
        )
        statuses = st.multiselect(
            "Status",
            list(Status),
            format_func=lambda status: status.value,
            key="run_status",
            bind="query-params",
            placeholder="Any status",
            label_visibility="collapsed",
        )
        experiment = st.selectbox(
            "Experiment",
            experiments,
            index=None,
            key="run_experiment",
            bind="query-params",
            placeholder="Any experiment",
            label_visibility="collapsed",
        )
    return matching(runs, text=text or "", statuses=statuses, experiment=experiment)


def _actions(run: Run, runs: Sequence[Run]) -> None:
    """One line on a run, with the buttons that its status allows."""
    status = word(run, runs)
    with st.container(horizontal=True, vertical_alignment="center", key=f"actions-{run.id}"):
        st.markdown(f"**{escape(label(run))}** :{tone(status)}-badge[{status}]", width="content")
        if run.status == Status.RUNNING:
            live_line(run.id, explain(run, runs), key=f"line-{run.id}")
        else:
            st.markdown(escape(explain(run, runs)), width="stretch")
        if run.status.is_active and not run.stop_requested and may("stop"):
            _button("Stop", run, launcher().stop)
        if run.status.can_resume and may("resume"):
            _button("Resume", run, launcher().resume)
        if not run.status.is_active:
            _edit_and_rerun(run)
        can_delete = run.status != Status.RUNNING and may("delete")
        if can_delete and st.button("Delete", key=f"delete-{run.id}", type="tertiary"):
            _confirm_delete(run)


def _edit_and_rerun(run: Run) -> None:
    """A button that opens the run's settings on the Train page, and then a link there."""
    if st.session_state.get("opened_spec", ("", b""))[0] == label(run):
        link("train", "Its settings are open on the Train page")
    else:
        st.button("Edit and rerun", key=f"edit-{run.id}", type="tertiary", on_click=_open_spec, args=(run,))


def _open_spec(run: Run) -> None:
    st.session_state["opened_spec"] = (label(run), run.spec.model_dump_json().encode())  # as a file would be


def _button(name: str, run: Run, action: Callable[[str], None]) -> None:
    st.button(name, key=f"{name}-{run.id}", on_click=_attempt, args=(action, run.id))


def _attempt(action: Callable[[str], None], run_id: str) -> None:
    """Do it, and keep the error message until the next attempt: a redraw would remove it at once."""
    st.session_state.pop("run_error", None)
    with errors_as_messages(lambda sentence: st.session_state.update(run_error=sentence)):
        action(run_id)


def _show_error() -> None:
    if error := st.session_state.get("run_error"):
        st.error(escape(error))


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


def _logs(runs: Sequence[Run]) -> None:
    for run in runs:
        title = f"Log of {escape(label(run))}"
        with st.expander(title, key=f"log-{run.id}", on_change="rerun") as log:
            if log.open:
                st.markdown(_story(run))
                st.code(log_tail(settings().runs_dir, run.id, 20) or "Empty so far.", language=None)


def _story(run: Run) -> str:
    """The history of the run, one line per status, with times in the reader's own time zone."""
    zone = timezone(-timedelta(minutes=st.context.timezone_offset or 0))
    return "\n".join(
        f"- {datetime.fromtimestamp(event.at, zone):%d %b %Y, %H:%M:%S} **{event.status}** {escape(event.message)}"
        for event in store().lifecycle(run.id)
    )
