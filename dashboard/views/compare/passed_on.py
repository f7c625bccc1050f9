"""What the teacher passed on: its word against the label, who decides as whom, inherited mistakes, what it says of the
other classes, the tokens.

Knows two runs and widgets; `deit_core.analysis` counts.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import state
from dashboard.components.live_chart import live_chart
from dashboard.run_status import label, looks_of
from dashboard.text import escape
from dashboard.views.compare.teachers_word import show_teachers_word
from deit_core.analysis import (
    PAPERS_DISAGREEMENT,
    dark_knowledge,
    disagreement,
    inherited,
    soft_labels,
)
from deit_core.metrics import TOKEN_COSINES
from deit_core.results.answer_charts import token_cosines
from deit_core.results.comparison_figures import has_matrices, soft_label_figures
from deit_core.results.two_runs import Answers, TwoRuns
from deit_core.runs import Run
from deit_core.wording import counted

_NEARLY_ONE = 0.97  # the paper has 0.93 for its DeiT, and 0.999 for two class tokens
_PAPERS_NAMES = "truth", "convnet", "DeiT", "class", "distillation", "both"


def show_passed_on(two: TwoRuns) -> None:
    if two.taught:
        st.markdown("**Where the teacher contradicts the label**")
    for taught in two.taught:
        show_teachers_word(taught, two.classes)
    _who_decides_as_whom(two)
    if two.teacher is None:
        st.caption("Neither of the two learned from a teacher whose answers are known.")
    else:
        _inherited_mistakes(two, two.teacher)
        _dark_knowledge(two, two.teacher)
    _tokens([one.run for one in (two.first, two.second)])
    if two.passed_on is not None:
        st.markdown(f"**In short.** {escape(' '.join(two.passed_on.sentences))}")


def _who_decides_as_whom(two: TwoRuns) -> None:
    st.markdown("**Who disagrees with whom**")
    names, shares = list(two.decisions), disagreement(two.decisions)
    rows = [
        {"": escape(name)} | {escape(other): f"{share:.1%}" for other, share in zip(names, row, strict=True)}
        for name, row in zip(names, shares, strict=True)
    ]
    with st.container(horizontal=True, gap="large"):
        _disagreement_table(f"Here, on {len(two.labels):,} {two.part} images", rows)
        _disagreement_table("In the DeiT paper, on ImageNet", _papers_table())
    st.caption(
        "Share of the images on which two of them answer differently. The paper's numbers are its table 4 "
        "([arXiv:2012.12877](https://arxiv.org/abs/2012.12877)); its *DeiT* is without distillation."
    )


def _disagreement_table(title: str, rows: list[dict[str, str]]) -> None:
    with st.container(width="content", gap="xsmall"):
        st.markdown(f":small[{title}]")
        st.table(rows, width="content", border="horizontal", hide_index=True, alt=f"Who disagrees with whom. {title}")


def _papers_table() -> list[dict[str, str]]:
    def share(one: str, other: str) -> str:
        found = PAPERS_DISAGREEMENT.get((one, other), PAPERS_DISAGREEMENT.get((other, one), 0.0))
        return f"{found:.1%}"

    return [{"": one} | {other: share(one, other) for other in _PAPERS_NAMES} for one in _PAPERS_NAMES]


def _inherited_mistakes(two: TwoRuns, teacher: Answers) -> None:
    students = (two.first, two.second)
    found = {one.name: inherited(two.labels, teacher.decisions, one.decisions) for one in students}
    total = found[two.first.name].num_images
    if not total:
        return
    st.markdown("**Inherited mistakes**")
    rows = [
        {
            "Student": escape(name),
            "The same mistake": f"{one.same:,} ({one.same / total:.0%})",
            "Another mistake": f"{one.other:,}",
            "Right": f"{one.right:,}",
        }
        for name, one in found.items()
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="What the students do where the teacher is wrong")
    st.caption(f"Of the {counted(total, 'image')} that {escape(teacher.name)} gets wrong.")


def _dark_knowledge(two: TwoRuns, teacher: Answers) -> None:
    """Which wrong classes the teacher finds likely, and which its students do."""
    if len(two.classes) < 3:
        return
    st.markdown("**What the teacher says of the other classes**")
    own = soft_labels(two.labels, teacher.predictions.logits)
    students = (two.first, two.second)
    found = {one.name: dark_knowledge(own, soft_labels(two.labels, one.predictions.logits)).mean for one in students}
    if has_matrices(two):
        for number, (place, drawn) in enumerate(
            zip(st.columns(3, gap="small"), soft_label_figures(two, teacher), strict=False)
        ):
            with place:
                st.markdown(escape(drawn.title))
                key = f"compare_soft_{number}"
                live_chart(drawn.figure, key=key, title=f"Soft labels of {drawn.title}", alt=drawn.alt, height=340)
    words = "; ".join(f"{escape(name)} {'–' if mean is None else f'{mean:.2f}'}" for name, mean in found.items())
    st.caption(
        "Each row is a true class, each cell the mean probability of another class, in percent; the class itself is "
        f"left out. The rank correlation of a student's rows with its teacher's, 1 for the same order: {words}."
    )


def _tokens(runs: Sequence[Run]) -> None:
    """The cosine of both tokens by block, at the best epoch of each DeiT."""
    found = {run.id: (run, cosines) for run in runs if (cosines := _cosines(run))}
    if not found:
        return
    st.markdown("**Class token and distillation token**")
    models = [(label(run), cosines) for run, cosines in found.values()]
    ends = "; ".join(f"{name} {shares[0]:.2f} at the input, {shares[-1]:.2f} at the end" for name, shares in models)
    live_chart(
        token_cosines(models, looks_of([run for run, _ in found.values()])),
        key="compare_tokens",
        alt=f"Cosine of both tokens by block: {ends}.",
        title="Cosine of the two tokens by block",
        height=280,
    )
    st.caption(
        "How alike both tokens are after each block, on validation images, at the best epoch. The DeiT paper has 0.06 "
        "at the input and 0.93 at the end: the tokens become alike, but not the same. The chart *Cosine of the two "
        "tokens* shows it epoch by epoch."
    )
    for name, cosines in models:
        if cosines[-1] > _NEARLY_ONE:
            st.info(
                f"The two tokens of {escape(name)} have become nearly the same, as two class tokens do in the paper (a "
                "cosine of 0.999), so its two heads answer alike. With another seed they may stay apart.",
                icon=":material/join:",
            )


def _cosines(run: Run) -> list[float]:
    best = run.results.get("best_epoch")
    metrics: Mapping[str, float] = next(
        (point.metrics for point in state.curves().of(run) if point.kind == "epoch" and point.epoch == best), {}
    )
    return [metrics[metric.name] for metric in TOKEN_COSINES.values() if metric.name in metrics]
