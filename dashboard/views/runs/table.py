"""The table of the Runs page: its filter, a page of rows at a time, and the runs that are ticked in it.

Knows the widgets; `st.session_state["runs"]` are the ids of the chosen runs.
"""

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.tables import matching, run_columns, run_table
from deit_core.runs import Run, Status

_ROWS = 50  # of a page


def choose_matching(runs: Sequence[Run]) -> list[Run]:
    """The filter; returns the runs that it leaves."""
    experiments = sorted({run.experiment_name for run in runs if run.experiment_name})
    with st.container(horizontal=True, vertical_alignment="bottom"):
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


def show_table(listed: Sequence[Run], runs: Sequence[Run], chosen: Sequence[Run]) -> None:
    """A page of the runs that the filter leaves; a tick chooses a run.

    Args: runs: all runs, among them those that the listed ones wait for.
    """
    if not listed:
        st.caption("No run matches; widen the filter.")
        return
    place = st.container()
    page = _choose_page(listed)
    with place:
        _show_rows(page, runs, chosen)


def _choose_page(listed: Sequence[Run]) -> Sequence[Run]:
    num_pages = math.ceil(len(listed) / _ROWS)
    if num_pages == 1:
        return listed
    with st.container(horizontal=True, vertical_alignment="center"):
        first = _ROWS * (st.pagination(num_pages, key="run_page", bind="query-params") - 1)
        page = listed[first : first + _ROWS]
        st.caption(f"Runs {first + 1:,} to {first + len(page):,} of {len(listed):,}, the newest first.")
    return page


def _show_rows(listed: Sequence[Run], runs: Sequence[Run], chosen: Sequence[Run]) -> None:
    ids, chosen_ids = [run.id for run in listed], {run.id for run in chosen}
    ticked = [row for row, run_id in enumerate(ids) if run_id in chosen_ids]
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
        alt="Runs with their status, progress and accuracy",
    )


def _tick(ids: Sequence[str]) -> None:
    """Take over the selection in the table; runs of other pages, and those that the filter hides, stay chosen."""
    rows = st.session_state["run_table"]["selection"]["rows"]
    hidden = [run_id for run_id in st.session_state["runs"] if run_id not in ids]
    st.session_state["runs"] = hidden + [ids[row] for row in sorted(rows, reverse=True)]
