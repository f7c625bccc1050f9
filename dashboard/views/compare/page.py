"""The Compare page: an experiment by what varies in it; curves of runs in one chart, their results, their different
settings, and whether they are fair.

Knows how to show a comparison; deit_core.analysis decides what is fair and which settings differ.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import state
from dashboard.address_runs import take_runs, write_runs
from dashboard.curves import panel as curves
from dashboard.error_messages import errors_as_messages
from dashboard.live import server as live
from dashboard.live.feed import live_feed
from dashboard.navigation import link
from dashboard.notebooks import offer_notebook
from dashboard.run_status import choice_label, is_live, label, newest_pair
from dashboard.text import escape, message
from dashboard.views.compare.closer import judge_pairs, show_closer
from dashboard.views.compare.experiments import choose_experiment, show_experiment
from dashboard.views.compare.result_rows import chance, fair, fairness, result_table, setting_table
from dashboard.views.compare.seed_table import counterparts, other_seeds, over_seeds
from dashboard.views.compare.speed_chart import show_speed
from dashboard.views.compare.verdict import show_verdict
from deit_core.runs import Run, Status
from deit_core.spec import SEARCH_TAG


def render() -> None:
    st.title("Compare")
    runs = state.runs()
    started = [run for run in runs if run.step]
    if len(started) < 2:
        st.info("Choose two runs that have started. Start a ViT and a DeiT with the same settings on the Train page.")
        link("train", "Train a teacher, a ViT and a DeiT")
        return
    if experiment := choose_experiment(runs):
        show_experiment(experiment, {run.id: run for run in runs})
        st.divider()
    chosen = _choose(started)
    if len(chosen) < 2:
        st.caption("Choose two or more runs. The first is compared with each of the others.")
        return
    _comparison([run.id for run in chosen])


def _choose(runs: Sequence[Run]) -> list[Run]:
    """The compared runs: named in the address, and at first the newest completed ViT and DeiT of one experiment."""
    by_id = {run.id: run for run in runs}
    named = take_runs("compare", runs)
    if named is None and "compare_began" not in st.session_state:
        named = [run.id for run in newest_pair([run for run in runs if SEARCH_TAG not in run.spec.tags])] or None
    if named is not None:
        st.session_state["compare"] = named
        st.session_state["compare_began"] = True
    ids = st.multiselect(
        "Runs to compare: the first with each of the others",
        list(by_id),
        format_func=lambda run_id: choice_label(by_id[run_id]),
        key="compare",
        persist_state="session",
        on_change=_begin,
        select_all=False,
        wrap=True,
    )
    if "compare_began" in st.session_state:
        write_runs("compare", ids)  # a reload shows them, whatever is newer
    chosen = [by_id[run_id] for run_id in ids]
    if more := other_seeds(chosen, runs):
        st.button(
            "Add the same runs with other seeds",
            icon=":material/add:",
            help=escape(", ".join(map(label, more))),
            on_click=_choose_also,
            args=([run.id for run in more],),
            key="add_seeds",
        )
    return chosen


def _begin() -> None:
    """From now on the user chooses the runs, and no newer pair replaces them."""
    st.session_state["compare_began"] = True


def _choose_also(ids: Sequence[str]) -> None:
    st.session_state["compare"] = [*st.session_state["compare"], *ids]


@st.fragment
@errors_as_messages()
def _comparison(ids: Sequence[str]) -> None:
    """Drawn again when the live feed asks for it."""
    state.launcher().ensure_workers()
    runs = state.runs()
    by_id = {run.id: run for run in runs}
    chosen = [by_id[run_id] for run_id in ids if run_id in by_id]
    if len(chosen) < len(ids):
        st.rerun()  # the whole page: a run is deleted
    drawn = live.drawn(runs, ids)
    pairs = judge_pairs(chosen, runs)
    for pair in pairs:
        show_verdict(pair)
    _fairness(chosen, by_id)
    st.table(result_table(chosen, state.curves().of), border="horizontal", hide_index=True, alt="Results of the runs")
    st.caption(f"In brackets: the difference from the first run. {chance(chosen)}")
    _seeds(chosen, by_id)
    if pairs:
        show_closer(pairs)
    cost = st.expander("Cost: accuracy against speed", key="compare_cost", on_change="rerun")
    if cost.open:
        with cost:
            show_speed(chosen)
    _settings(chosen, by_id)
    with st.container(horizontal=True):
        view = curves.controls()
        curves.download(chosen)
        offer_notebook(chosen, key="compare_notebook")
    curves.draw(chosen, view, key="compare")
    if any(is_live(run, runs) for run in chosen):
        live_feed(drawn, runs, key="compare_feed")


def _settings(chosen: Sequence[Run], by_id: Mapping[str, Run]) -> None:
    st.header("Settings that differ")
    settings = setting_table(chosen, by_id)
    if not settings["Setting"]:
        st.caption("None: all settings of the runs are the same.")
    else:
        st.table(settings, border="horizontal", hide_index=True, alt="The settings that differ between the runs")


def _seeds(chosen: Sequence[Run], by_id: Mapping[str, Run]) -> None:
    """Results over several seeds, where several are chosen, and what distillation changed."""
    tables = over_seeds(chosen, by_id)
    if tables.groups:
        st.header("Over several seeds")
        st.table(
            tables.groups,
            border="horizontal",
            hide_index=True,
            alt="Mean and standard deviation of runs that differ only in the seed",
        )
        st.caption("Mean ± standard deviation.")
    if tables.differences:
        st.header("What distillation changed")
        st.table(
            tables.differences, border="horizontal", hide_index=True, alt="The effect of distillation, seed by seed"
        )
        st.caption(
            "Each difference is between two runs of the same seed that differ only in the distillation. If its "
            "confidence interval (Student's t) excludes zero, it is hardly chance. The share of the "
            "lead is (distilled − plain) / (teacher − plain), on test images; its interval is Fieller's, for a ratio."
        )
    if tables.best:
        st.header("Best against best")
        st.table(tables.best, border="horizontal", hide_index=True, alt="The best recipe of each kind")
        st.caption(
            "Of each kind the recipe with the highest mean on validation images, among runs with the same data, seeds "
            "and number of steps. So a DeiT does not look better because its recipe is bad for the ViT."
        )


def _fairness(chosen: Sequence[Run], by_id: Mapping[str, Run]) -> None:
    """Say whether the comparison with the first is fair, and which runs are not finished."""
    first, *others = chosen
    unfair: dict[str, list[Run]] = {}
    for counterpart, other in counterparts(first, others, by_id):
        if sentences := fairness(counterpart, other):
            unfair.setdefault("\n".join(f"- {message(sentence)}" for sentence in sentences), []).append(other)
    for lines, runs in unfair.items():
        names = " and ".join(f"**{escape(label(run))}**" for run in runs)
        st.warning(f"A comparison of **{escape(label(first))}** with {names} is not fair:\n\n{lines}")
    unfinished = [run for run in chosen if run.status != Status.COMPLETED]
    if not unfair and not unfinished:
        st.caption(fair(chosen))
    if unfinished:
        names = ", ".join(
            f"{label(run)} ({run.status}, epoch {run.epoch} of {run.spec.optim.epochs})" for run in unfinished
        )
        st.info(f"Not finished, so without test results: {escape(names)}.")
