"""The panel of curves that pages share: its controls, its charts, and the points behind them as a file.

Knows runs and widgets; does not know which runs a page shows, or when it draws them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard import state
from dashboard.components.live_chart import live_chart
from dashboard.curves import curve_imports
from dashboard.curves.charts import CHARTS, Chart
from dashboard.curves.figure import AXES, Axis, Curve, figure, finding
from dashboard.tables import points_table
from deit_core.runs import Run

_HEIGHT = 300


@dataclass(frozen=True)
class View:
    """What the user chose to see."""

    titles: tuple[str, ...]
    axis: Axis
    smoothing: float
    is_log: bool
    imported: tuple[str, ...] = ()


def controls() -> View:
    """The options of the curves, hidden at first; they are in the URL, and all pages that show curves share them."""
    with st.popover("Chart options", icon=":material/tune:"):
        titles = st.multiselect(
            "Charts", list(CHARTS), default=["Loss", "Accuracy"], key="curve_charts", bind="query-params", wrap=True
        )
        axis = st.segmented_control(
            "Horizontal axis",
            AXES,
            default="epoch",
            required=True,
            format_func=str.capitalize,
            key="curve_axis",
            bind="query-params",
        )
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.99,
            0.0,
            0.01,
            key="curve_smoothing",
            bind="query-params",
            help="Averages the training curves; the measured values stay faintly visible. Validation is not averaged.",
        )
        is_log = st.toggle("Logarithmic loss", key="curve_log", bind="query-params")
        imported = curve_imports.choose()
    return View(tuple(titles), axis or "epoch", smoothing, is_log, imported)


def draw(runs: Sequence[Run], view: View, *, key: str) -> None:
    """The chosen charts of the runs, two in a row.

    Args: key: identifies the charts of this page.
    """
    curves = [Curve(run, state.curves().of(run)) for run in runs] + curve_imports.curves(view.imported, view.axis)
    with st.grid(2, min_column_width=420):
        for title in view.titles:
            with st.container():
                _draw_one(title, curves, view, key)


def download(runs: Sequence[Run]) -> None:
    """A button that saves all points of the runs as CSV; the file is made when it is pressed."""
    source = state.curves()
    st.download_button(
        "Points as CSV",
        lambda: points_table([(run, source.of(run)) for run in runs]).to_csv(index=False),
        file_name=f"runs-{'-'.join(run.id if run.is_demo else str(run.number) for run in runs)}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _draw_one(title: str, curves: Sequence[Curve], view: View, key: str) -> None:
    chart = CHARTS[title]
    drawn = figure(chart, curves, axis=view.axis, smoothing=view.smoothing, is_log=view.is_log)
    st.markdown(f"**{title}**", help=chart.note)
    if not drawn["data"]:
        st.caption(_why_empty(chart, curves))
        return
    live_chart(
        drawn,
        key=f"{key} {title}",
        title=title,
        alt=f"{title} of the runs by {view.axis}, at the end: {finding(chart, curves)}.",
        height=_HEIGHT,
    )


def _why_empty(chart: Chart, curves: Sequence[Curve]) -> str:
    if any(curve.points for curve in curves):
        return f"None of these runs has measured this: it needs {chart.needs}."
    return "Nothing is measured yet; the curve begins with the first steps."
