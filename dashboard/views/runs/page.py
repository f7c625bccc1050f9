"""The Runs page: live curves of the chosen runs, a line on each with its actions, and the table of every run.

Knows the store and the launcher; draws no curve itself (see curves.py) and never looks whether something is new (see
dashboard/live).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import machine, state
from dashboard.address_runs import take_runs, write_runs
from dashboard.curves import panel as curves
from dashboard.error_messages import errors_as_messages
from dashboard.live import server as live
from dashboard.live.feed import live_feed
from dashboard.navigation import link
from dashboard.pictures.page_parts import main_and_side
from dashboard.run_status import label
from dashboard.state import SHOWS_DEMO, launcher, settings, shown_log, store
from dashboard.text import escape, message
from dashboard.verdicts.outcome import pairs_of_experiments, show_outcome_of
from dashboard.views.runs import learning_picture
from dashboard.views.runs.actions import actions, actions_on_many, show_outcome
from dashboard.views.runs.table import choose_matching, show_table
from dashboard.views.runs.unreadable import show_unreadable
from deit_core.runs import Run, Status, UnreadableRun, demo_runs

_AT_WORK = "runs_at_work"
SHOWN = 20  # chosen runs that have a line, curves and a log
_PICTURE_WIDTH = 140


class _Places(NamedTuple):
    """The parts of the page beside and below the curves."""

    picture: DeltaGenerator | None
    lines: DeltaGenerator
    table: DeltaGenerator
    bottom: DeltaGenerator


def render() -> None:
    with errors_as_messages(lambda _: None):  # the part below says it
        launcher().ensure_workers()
    runs, unreadable = listed = state.listed()
    if not runs:
        st.title("Runs")
        show_unreadable(unreadable)
        if store().is_there and not unreadable:
            st.info(
                "No run yet. Choose a preset on the Train page and start it; its curves appear here while it trains."
            )
        link("train", "Train a teacher, a ViT and a DeiT")
        _await_runs()
        _choose_demo()
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_head"):
        st.title("Runs", width="content")
        chosen = _choose(runs)
        shown = chosen[:SHOWN]
        if shown:
            view = curves.controls()
            curves.download(shown)
    charts, picture = st.container(), None
    if learning_picture.can_learn(shown):
        with charts:
            charts, picture = main_and_side("runs", _PICTURE_WIDTH)
        with picture.container(key="runs_picture"):
            learning_picture.title()
            picture = st.container()
    places = _Places(picture, st.container(), st.container(), st.container())
    drawn = live.drawn(runs, [run.id for run in shown])
    with charts:
        if shown:
            curves.draw(shown, view, key="runs")
        else:
            st.caption("Select runs in the table to see their curves, and to stop, resume or delete them.")
    _choose_demo()
    _progress(drawn, {run.id for run in chosen}, places, [listed])


@st.fragment
def _await_runs() -> None:
    if live_feed(live.drawn([], []), [], key="runs_feed") == "page":
        st.rerun()


@st.fragment
@errors_as_messages()
def _progress(
    drawn: live.Drawn, chosen_ids: set[str], places: _Places, listed_now: list[tuple[list[Run], list[UnreadableRun]]]
) -> None:
    """All that changes while runs train, except the curves; drawn again when the live feed asks for it.

    Args:
        chosen_ids: the chosen runs when the page was drawn.
        listed_now: the runs as the page has just read them, taken out here: drawn again, they are read again.
    """
    launcher().ensure_workers()
    runs, unreadable = listed_now.pop() if listed_now else state.listed()
    with places.bottom:
        if live_feed(drawn, runs, key="runs_feed") == "page":
            st.rerun()
    by_id = {run.id: run for run in runs}
    chosen = [by_id[run_id] for run_id in st.session_state["runs"] if run_id in by_id]
    if {run.id for run in chosen} != chosen_ids:
        st.rerun()  # others were ticked, or one is deleted
    with places.lines:
        if trouble := launcher().trouble:
            st.error(message(trouble))
        show_unreadable(unreadable)
        show_outcome()
        for pair in pairs_of_experiments([run for run in chosen[:SHOWN] if run.status == Status.COMPLETED]):
            show_outcome_of(pair, runs, key=f"runs-{pair[1].id}")
        with st.container(gap="xxsmall"):
            for run in chosen[:SHOWN]:
                actions(run, runs)
        _tell_ended(runs)
        if len(chosen) > SHOWN:
            st.caption(f"The first {SHOWN} of {len(chosen):,} chosen runs are shown here, in the curves and the logs.")
    with places.table:
        st.header("All runs")
        listed = choose_matching(runs)
        show_table(listed, runs, chosen)
        actions_on_many(chosen, listed)
    with places.bottom:
        _logs([run for run in chosen[:SHOWN] if run.started_at is not None and not run.is_demo])
        st.caption(machine.describe())
    if places.picture is not None:
        with places.picture:
            learning_picture.show(chosen[:SHOWN])  # last, since it loads torch


def _tell_ended(runs: Sequence[Run]) -> None:
    """A short message on each run that has ended since this page was drawn."""
    at_work: set[str] = st.session_state.get(_AT_WORK, set())
    for run in runs:
        if run.id in at_work and not run.status.is_active:
            st.toast(f"{escape(label(run))} is {run.status}.", icon=":material/flag:")
    st.session_state[_AT_WORK] = {run.id for run in runs if run.status == Status.RUNNING}


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
        select_all=False,
        wrap=True,
    )
    write_runs("runs", ids)  # a reload shows them, whatever is newer
    return [by_id[run_id] for run_id in ids]


def _choose_demo() -> None:
    if demo_runs().runs() and settings().shows_demo:
        st.toggle(
            "Demo runs",
            value=True,
            key=SHOWS_DEMO,
            persist_state="session",
            help="Runs that come with DeiT Lab, so that every page has something to show. They can only be looked at.",
        )


def _logs(runs: Sequence[Run]) -> None:
    for run in runs:
        title = f"Log of {escape(label(run))}"
        with st.expander(title, key=f"log-{run.id}", on_change="rerun") as log:
            if log.open:
                st.markdown(_story(run))
                st.code(shown_log(run, 20) or "Empty so far.", language=None)


def _story(run: Run) -> str:
    """The history of the run, one line per status, with times in the reader's own time zone."""
    zone = timezone(-timedelta(minutes=st.context.timezone_offset or 0))
    return "\n".join(
        f"- {datetime.fromtimestamp(event.at, zone):%d %b %Y, %H:%M:%S} **{event.status}** {message(event.message)}"
        for event in store().lifecycle(run.id)
    )
