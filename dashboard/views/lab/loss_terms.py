"""How alpha weighs the terms of the loss, for the logits of the lab or for a run's last step."""

from collections.abc import Sequence

import streamlit as st

from dashboard import state
from dashboard.run_status import label
from dashboard.text import escape
from dashboard.views.lab.logits import Answers
from deit_core.analysis.soft_targets import cross_entropy, divergence
from deit_core.runs import Run

_THESE = "these logits"
_BASE, _TAUGHT = "train_loss_class", "train_loss_distillation"


def loss_terms(answers: Answers, tau: float) -> None:
    st.header("How α weighs both terms of the loss")
    st.caption("loss = (1 − α) × cross-entropy with the true label + α × the teacher's term")
    by_name = {label(run): run for run in state.runs() if run.spec.distillation is not None and run.step}
    first, second, third = st.columns([3, 2, 3], vertical_alignment="bottom")
    source = first.selectbox("Values of", [_THESE, *by_name], key="lab_values")
    run = by_name.get(source)
    is_hard = (
        run is None
        and second.segmented_control(
            "Teacher's term", ["soft", "hard"], default="soft", required=True, key="lab_kind", bind="query-params"
        )
        == "hard"
    )
    alpha = third.slider("Weight α of the teacher's term", 0.0, 1.0, 0.5, 0.05, key="lab_alpha", bind="query-params")
    terms = _of_logits(answers, tau, is_hard=is_hard) if run is None else _of_run(run)
    if terms is None:
        st.info("This run has not measured its losses yet; look again after a few steps.")
        return
    base, taught = terms
    _show(base, taught, alpha)
    if run is not None:
        distillation = run.spec.distillation
        assert distillation is not None
        st.caption(
            escape(f"Means over its last measured steps, {distillation.kind} distillation; it trains with")
            + f" α = {distillation.alpha:g}."
        )


def _of_logits(answers: Answers, tau: float, *, is_hard: bool) -> tuple[float, float]:
    base = cross_entropy(answers.student, answers.label)
    if is_hard:
        decided = max(range(len(answers.teacher)), key=answers.teacher.__getitem__)
        return base, cross_entropy(answers.student, decided)
    return base, divergence(answers.student, answers.teacher, tau) * tau**2


def _of_run(run: Run) -> tuple[float, float] | None:
    measured = [point.metrics for point in state.curves().of(run) if {_BASE, _TAUGHT} <= point.metrics.keys()]
    return (measured[-1][_BASE], measured[-1][_TAUGHT]) if measured else None


def _show(base: float, taught: float, alpha: float) -> None:
    parts: Sequence[tuple[str, float, str]] = (
        ("True label", base, f"× {1 - alpha:.2f} = {(1 - alpha) * base:.4f}"),
        ("Teacher's term", taught, f"× {alpha:.2f} = {alpha * taught:.4f}"),
        ("Loss", (1 - alpha) * base + alpha * taught, "the sum of both"),
    )
    for column, (name, value, note) in zip(st.columns(3), parts, strict=True):
        column.metric(name, f"{value:.4f}")
        column.caption(note)
