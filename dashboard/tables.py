"""Tables of runs and of their points, as data frames. Knows runs; no widgets beyond how a column is shown.

pandas is imported with the first table or component: the title of the page is on the screen by then.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.run_status import family, label, tone, word
from deit_core.metrics import BEST_VAL_ACCURACY, METRICS, TEST_ACCURACY, VAL_ACCURACY
from deit_core.plain_text import cell
from deit_core.runs import Point, Run, Status

if TYPE_CHECKING:
    from pandas import DataFrame


def matching(runs: Iterable[Run], *, text: str, statuses: Sequence[Status], experiment: str | None) -> list[Run]:
    """The runs that a filter leaves: `text` in their words, one of `statuses`, `experiment`; empty ones keep all."""
    return [
        run
        for run in runs
        if (not statuses or run.status in statuses)
        and (experiment is None or run.experiment_name == experiment)
        and text.strip().casefold() in _words(run)
    ]


def run_table(runs: Sequence[Run], everyone: Sequence[Run]) -> "DataFrame":
    """A row a run, in the given order.

    Args: everyone: all runs of the store, among them those that `runs` wait for.
    """
    from pandas import DataFrame

    rows = [
        {
            "number": None if run.is_demo else run.number,
            "name": cell(run.name),
            "experiment": cell(f"{run.experiment_name} (demo)" if run.is_demo else run.experiment_name or ""),
            "model": family(run),
            "status": [word(run, everyone)],
            VAL_ACCURACY: _percent(run.results.get(VAL_ACCURACY)),
            BEST_VAL_ACCURACY: _percent(run.results.get(BEST_VAL_ACCURACY)),
            TEST_ACCURACY: _percent(run.results.get(TEST_ACCURACY)),
            "submitted": datetime.fromtimestamp(run.created_at, UTC),
        }
        for run in runs
    ]
    return DataFrame(rows, columns=list(_COLUMNS)).astype(_TYPES)


def run_columns(table: "DataFrame", timezone: str | None) -> dict[str, Any]:
    """How the columns of `run_table` are shown, with times in the reader's own zone."""
    words = sorted({one for row in table["status"] for one in row})
    return _COLUMNS | {
        "status": st.column_config.MultiselectColumn(
            "Status", options=words, color=[tone(one) for one in words], width=100
        ),
        "submitted": st.column_config.DatetimeColumn("Submitted", format="D MMM, HH:mm", timezone=timezone, width=115),
    }


def points_table(curves: Iterable[tuple[Run, Sequence[Point]]]) -> "DataFrame":
    """A row a point of each run, a column a metric, for a spreadsheet."""
    from pandas import DataFrame

    return DataFrame(
        {
            "run_id": run.id,
            "number": None if run.is_demo else run.number,
            "name": cell(run.name),
            "kind": point.kind,
            "step": point.step,
            "epoch": point.epoch,
            "elapsed_s": point.elapsed_s,
            **point.metrics,
        }
        for run, points in curves
        for point in points
    )


def _words(run: Run) -> str:
    spec = run.spec
    return " ".join((label(run), run.name, run.experiment_name or "", family(run), *spec.tags, spec.notes)).casefold()


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _accuracy(name: str) -> Any:
    metric = METRICS[name]
    return st.column_config.NumberColumn(  # the format "percent" would cut digits off
        metric.heading, help=metric.help, format="%.2f%%", width=88
    )


# Said aloud, since a column without any value would have none.
_TYPES = dict.fromkeys((VAL_ACCURACY, BEST_VAL_ACCURACY, TEST_ACCURACY), "float") | {"number": "Int64"}
# First what a phone has room for.
_COLUMNS: dict[str, Any] = {
    "number": st.column_config.NumberColumn("No.", width=44),
    "name": st.column_config.TextColumn("Name", width=110),
    "status": None,
    TEST_ACCURACY: _accuracy(TEST_ACCURACY),
    "model": st.column_config.TextColumn("Model", width=80),
    "experiment": st.column_config.TextColumn("Experiment", width=130),
    BEST_VAL_ACCURACY: _accuracy(BEST_VAL_ACCURACY),
    VAL_ACCURACY: _accuracy(VAL_ACCURACY),
    "submitted": None,
}
