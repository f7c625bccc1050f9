"""An experiment on the Compare page: accuracy against what varies between its runs, and the paper's tables beside them.

Knows widgets and how to word numbers; `deit_core.results.experiment_results` finds what varies.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from dashboard import address
from dashboard.components.live_chart import live_chart
from dashboard.run_status import family
from dashboard.text import escape
from dashboard.views.compare import variation_chart
from dashboard.views.compare.search import show_search
from dashboard.views.compare.variation_chart import Role, axis_title, words
from deit_core.analysis import (
    NOTHING,
    PAPERS_STUDENTS,
    PAPERS_TABLE_2,
    TEACHER,
    MethodRow,
    Row,
    Sample,
    Variation,
)
from deit_core.metrics import BEST_VAL_ACCURACY, METRICS, TEST_ACCURACY
from deit_core.results.experiment_results import experiment_results
from deit_core.results.role_looks import look_of
from deit_core.runs import Run, Status
from deit_core.spec import SEARCH_TAG
from deit_core.text.quoting import shortened

_KEY = "compare_experiment"
_MOST_LINES = 5  # of a chart beside those of a search
_FEW = 3  # a teacher, a ViT and a DeiT: nothing varies
_PAPER = "[arXiv:2012.12877](https://arxiv.org/abs/2012.12877)"


def choose_experiment(runs: Sequence[Run]) -> list[Run]:
    """The runs of the chosen experiment, in its order; none at first, and no choice where each experiment has one
    run of a kind and none is a search. `runs` come newest first.
    """
    by_experiment: dict[str, list[Run]] = {}
    for run in runs:
        if run.experiment_id is not None:
            by_experiment.setdefault(run.experiment_id, []).insert(0, run)
    has_choice = any(len(group) > _FEW or _is_search(group) for group in by_experiment.values())
    if not has_choice and _KEY not in st.query_params:
        return []
    named = address.take(_KEY)
    if named is not None:
        asked = next((name for name in named if name), None)
        if asked is not None and asked not in by_experiment:
            address.note(_KEY, f"The experiment {escape(shortened(asked))} is not here: deleted, or in another store.")
        st.session_state[_KEY] = asked
    if st.session_state.get(_KEY) not in by_experiment:
        st.session_state[_KEY] = None
    chosen = st.selectbox(
        "Experiment: accuracy against what varies between its runs",
        list(by_experiment),
        index=None,
        format_func=lambda name: _label(by_experiment[name]),
        placeholder="Choose an experiment",
        key=_KEY,
        persist_state="session",
    )
    if named is not None or chosen is not None or _KEY in st.query_params:
        address.write(_KEY, [chosen or ""])
    return by_experiment.get(chosen, []) if chosen else []


def _is_search(runs: Sequence[Run]) -> bool:
    return any(SEARCH_TAG in run.spec.tags for run in runs)


def _label(runs: Sequence[Run]) -> str:
    first, last = runs[0], runs[-1]
    if first.is_demo:
        return f"{first.experiment_name} (demo)"
    return f"{first.experiment_name} (runs {first.number} to {last.number})"


def show_experiment(runs: Sequence[Run], by_id: Mapping[str, Run]) -> None:
    """Args:
    runs: of the experiment, in its order.
    by_id: all runs of the store.
    """
    is_search = _is_search(runs)
    score = BEST_VAL_ACCURACY if is_search else TEST_ACCURACY
    results = experiment_results(runs, by_id, score)
    if unfinished := [run for run in runs if run.status != Status.COMPLETED]:
        st.caption(f"{len(unfinished)} of {len(runs)} runs are not finished, and are left out.")
    found = results.variation
    if is_search:
        show_search(runs, by_id)
        if not found.axes or (len(found.axes) > 1 and len(found.axes[1].values) > _MOST_LINES):
            return
    if not found.axes:
        st.info(f"No chart of this experiment. {escape(found.reason)}")
        return
    _charts(found, _roles(found, by_id), METRICS[score].title)
    if len(found.axes) == 1 and found.axes[0].path == TEACHER:
        _teachers(found)
    if results.methods:
        _methods(results.methods)


class _Roles(NamedTuple):
    teacher: Role
    plain: Role
    taught: Role


def _roles(found: Variation, by_id: Mapping[str, Run]) -> _Roles:
    """How the teacher, the runs without one and those with one are called and drawn."""
    plain, taught = (
        {family(by_id[run_id]) for point in points for run_id in point.ids} for points in (found.plain, found.taught)
    )
    names = ["without a teacher", "with a teacher"]
    if len(plain) == len(taught) == 1 and plain != taught:
        names = [*plain, *taught]
    elif not taught and len(plain) == 1:
        names[0] = plain.pop()
    return _Roles(
        Role("teacher", look_of("teacher")),
        Role(names[0], look_of("ViT")),
        Role(names[1], look_of("DeiT")),
    )


def _charts(found: Variation, roles: _Roles, title: str) -> None:
    """Args: title: of the accuracy."""
    live_chart(
        variation_chart.accuracy(found, **roles._asdict(), title=title),
        key="compare_variation",
        title=f"{title} against {_against(found)}",
        alt=f"{title} against {_against(found)}: {_finding(found, roles)}.",
        height=380,
    )
    gains = [(point.gain.mean, point) for point in found.taught if point.gain is not None]
    if gains:
        largest, where = max(gains, key=lambda pair: pair[0])
        live_chart(
            variation_chart.gain(found, taught=roles.taught, title="Gain, points"),
            key="compare_gain",
            title=f"Gain against {_against(found)}",
            alt=f"Gain of {roles.taught.name} over {roles.plain.name}; the largest is {100 * largest:+.1f} points at "
            f"{_place(found, where.values)}.",
            height=240,
        )
    st.caption(_legend(found, roles, has_gains=bool(gains)))
    st.table(
        [_row(found, row, roles) for row in found.rows],
        border="horizontal",
        hide_index=True,
        alt="The numbers of the charts",
    )


def _against(found: Variation) -> str:
    return " and ".join(map(axis_title, found.axes))


def _finding(found: Variation, roles: _Roles) -> str:
    """Where each role is best."""
    best = [
        (role.name, max(points, key=lambda point: point.accuracy.mean))
        for role, points in ((roles.plain, found.plain), (roles.taught, found.taught))
        if points
    ]
    return "; ".join(
        f"{name} is best with {point.accuracy.mean:.1%} at {_place(found, point.values)}" for name, point in best
    )


def _place(found: Variation, values: Sequence[Any]) -> str:
    known = [
        f"{axis.path}={words(value)}" if axis.path else words(value)
        for axis, value in zip(found.axes, values, strict=True)
        if value is not None
    ]
    return ", ".join(known) or "every value"


def _legend(found: Variation, roles: _Roles, *, has_gains: bool) -> str:
    sentences = ["Marks are means over seeds, bars are Student's 95% intervals, which need three seeds."]
    if has_gains:
        gain = f"Gain: {roles.taught.name} minus {roles.plain.name}"
        sentences.append(f"{gain}, with the same seed and otherwise the same settings.")
    for axis in found.axes:
        if axis.also:
            also = ", ".join(f"`{path}`" for path in axis.also)
            sentences.append(f"Where `{axis.path}` changes, other fields change too: {also}.")
        if not axis.path:
            sentences.append(f"Each recipe changes one field of a common one, which is *{NOTHING}* here.")
    return " ".join(sentences)


def _row(found: Variation, row: Row, roles: _Roles) -> dict[str, str]:
    plain, taught = (point.accuracy if point else None for point in (row.plain, row.taught))
    gain, teacher = (row.taught.gain, row.taught.teacher) if row.taught else (None, None)
    places = {
        f"`{axis.path}`" if axis.path else axis_title(axis): "–" if value is None else escape(words(value))
        for axis, value in zip(found.axes, row.values, strict=True)
    }
    if not found.taught:
        return places | {_begun(roles.plain.name): _percent(plain)}
    return places | {
        _begun(roles.plain.name): _percent(plain),
        _begun(roles.taught.name): _percent(taught),
        _begun(roles.teacher.name): "–" if teacher is None else f"{teacher:.2%}",
        "Gain, points": "–" if gain is None else _signed(100 * gain.mean),
        "95% interval": " to ".join(_signed(100 * end) for end in gain.interval) if gain and gain.interval else "–",
    }


def _teachers(found: Variation) -> None:
    """The paper's table 2 beside the experiment's own."""
    st.markdown("**Which teacher teaches best**")
    here, paper = st.columns([3, 4], gap="medium")
    with here:
        rows = [
            {
                "Teacher": escape(words(point.values[0])),
                "Its accuracy": "–" if point.teacher is None else f"{point.teacher:.2%}",
                "Student": _percent(point.accuracy),
            }
            for point in found.taught
        ]
        st.table(rows, border="horizontal", hide_index=True, alt="Teachers of this experiment and their students")
    with paper:
        papers = [
            {
                "Teacher": row.teacher,
                "Its accuracy": f"{row.accuracy}%",
                "DeiT-B": f"{row.student}%",
                "at 384 px": f"{row.student_384}%",
            }
            for row in PAPERS_TABLE_2
        ]
        st.table(papers, border="horizontal", hide_index=True, alt="Teachers of the DeiT paper and their students")
        st.caption(f"The DeiT paper, table 2, on ImageNet ({_PAPER}): a CNN teaches better than a transformer.")


def _methods(rows: Sequence[MethodRow]) -> None:
    """The paper's table 3 beside the experiment's own."""
    st.markdown("**Ways of distillation**")
    table = [
        {"Way": row.title, "Here": _percent(row.sample)}
        | {name: f"{row.paper[index]}%" if row.paper else "–" for index, name in enumerate(PAPERS_STUDENTS)}
        for row in rows
    ]
    st.table(table, border="horizontal", hide_index=True, alt="Ways of distillation, here and in the DeiT paper")
    st.caption(
        f"*Here*: test images of this experiment. The other columns: the DeiT paper, table 3, on ImageNet ({_PAPER}). "
        "The paper describes the answer of both heads as the mean of probabilities; its code takes the mean of logits."
    )


def _percent(sample: Sample | None) -> str:
    if sample is None:
        return "–"
    return f"{sample.mean:.2%}" if sample.sd is None else f"{100 * sample.mean:.2f} ± {100 * sample.sd:.2f}%"


def _signed(points: float) -> str:
    return f"{points:+.2f}".replace("-", "−")


def _begun(name: str) -> str:
    """With a capital, as the title of a column."""
    return name[:1].upper() + name[1:]
