"""A search on the Compare page: its runs, the best on validation first, and what each field did. No test number.

Knows widgets and how to word numbers; `deit_core.analysis` finds what was tried.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.run_status import family, label
from dashboard.text import escape
from dashboard.views.compare import search_chart
from dashboard.views.compare.variation_chart import Role, words
from deit_core.analysis import Tried, tried
from deit_core.metrics import BEST_EPOCH, BEST_VAL_ACCURACY, METRICS
from deit_core.results.role_looks import look_of
from deit_core.runs import Run
from deit_core.runs.early_stopping import is_stopped_early

_FIRST = 20  # rows that are shown at once


def show_search(runs: Sequence[Run], by_id: Mapping[str, Run]) -> None:
    """Draw the table, and where two or more fields vary the charts.

    Args:
        runs: of the experiment, in its order.
        by_id: all runs of the store.
    """
    specs = {run_id: run.spec for run_id, run in by_id.items()}
    accuracies = {run.id: run.results[BEST_VAL_ACCURACY] for run in runs if BEST_VAL_ACCURACY in run.results}
    found = tried([run.id for run in runs], specs, accuracies)
    if not found.trials:
        st.info("No run of this search has been validated yet.")
        return
    best = by_id[found.trials[0].run_id]
    st.markdown(
        f"Best of {len(found.trials)} on validation images: **{escape(label(best))}** with "
        f"{found.trials[0].accuracy:.2%}. Test images are not looked at until a recipe is chosen."
    )
    if len(found.fields) > 1:
        _charts(found, by_id)
    _table(found, by_id)


def _charts(found: Tried, by_id: Mapping[str, Run]) -> None:
    names = {one.run_id: label(by_id[one.run_id]) for one in found.trials}
    best, title = found.trials[0], METRICS[BEST_VAL_ACCURACY].title
    values = [
        f"{axis.path}={words(value)}"
        for axis, value in zip(found.fields, best.values, strict=True)
        if value is not None
    ]
    live_chart(
        search_chart.parallel(found, names, title),
        key="compare_parallel",
        title="Search, all fields",
        alt=f"A line for each of {len(found.trials)} runs; the best has {best.accuracy:.2%} at {', '.join(values)}.",
        height=360,
    )
    st.caption(
        "A line is a run: it goes through the value of each field to its accuracy on validation images. The figure on "
        "the left of a field is a value; numbers lie between the lowest and the highest."
    )
    roles = [
        (Role(kind, look_of("DeiT" if kind == "DeiT" else "ViT")), {one for one in names if family(by_id[one]) == kind})
        for kind in dict.fromkeys(family(by_id[one]) for one in names)
    ]
    with st.grid(3, min_column_width=260):
        for place, axis in enumerate(found.fields):
            top = next(one for one in found.trials if one.values[place] is not None)
            live_chart(
                search_chart.marginal(found, place, names, roles),
                key=f"compare_marginal_{axis.path}",
                title=f"Search, {axis.path}",
                alt=f"{title} against {axis.path}; the best has {top.accuracy:.2%} at {words(top.values[place])}.",
                height=240,
            )


def _table(found: Tried, by_id: Mapping[str, Run]) -> None:
    rows = [
        {
            "Run": escape(label(by_id[one.run_id])),
            **{
                f"`{axis.path}`": "–" if value is None else escape(words(value))
                for axis, value in zip(found.fields, one.values, strict=True)
            },
            METRICS[BEST_VAL_ACCURACY].title: f"{one.accuracy:.2%}",
            METRICS[BEST_EPOCH].title: _epoch(by_id[one.run_id]),
            "Status": _status(by_id[one.run_id]),
        }
        for one in found.trials
    ]
    st.table(rows[:_FIRST], border="horizontal", hide_index=True, alt="The runs of the search, the best first")
    if len(rows) > _FIRST:
        with st.expander(f"All {len(rows)} runs", key="compare_search_all", on_change="rerun") as rest:
            if rest.open:
                st.table(rows[_FIRST:], border="horizontal", hide_index=True, alt="The other runs of the search")


def _epoch(run: Run) -> str:
    return f"{run.results[BEST_EPOCH]:.0f}" if BEST_EPOCH in run.results else "–"


def _status(run: Run) -> str:
    return f"stopped early, epoch {run.epoch}" if is_stopped_early(run) else str(run.status)
