"""The Distillation lab: what a teacher's logits say at a temperature, and what a student learns from them.

The order of the page; `deit_core.analysis.soft_targets` has the numbers.
"""

import math

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.navigation import link
from dashboard.text import escape
from dashboard.views.lab import lab_charts
from dashboard.views.lab.image_answers import of_image
from dashboard.views.lab.logits import Answers, typed
from dashboard.views.lab.loss_terms import loss_terms
from deit_core.analysis.soft_targets import divergence, entropy, soft_targets

_TAU_OF_THE_NOTE = 10
_TYPED, _IMAGE = "Typed", "Of a test image"


def render() -> None:
    st.title("Distillation lab")
    st.caption(
        "A teacher's logits say which class it chooses, and also which other classes are similar. Change the "
        "temperature and see how much of this a student can learn."
    )
    kind = st.segmented_control(
        "Logits",
        [_TYPED, _IMAGE],
        default=_TYPED,
        required=True,
        key="lab_source",
        bind="query-params",
        label_visibility="collapsed",
    )
    answers = typed() if kind == _TYPED else of_image()
    if answers is None:
        return
    tau = st.slider(
        "Temperature τ",
        0.5,
        30.0,
        float(_TAU_OF_THE_NOTE),
        0.5,
        key="lab_tau",
        bind="query-params",
        help="Logits are divided by it before the softmax. A run's field is distillation.tau.",
    )
    _soft_targets(answers, tau)
    _why_the_factor(answers, tau)
    loss_terms(answers, tau)
    st.caption(
        "Source: Hinton, Vinyals and Dean 2015 ([arXiv:1503.02531](https://arxiv.org/abs/1503.02531)), section 2."
    )
    link("learn", "Learn: how the distillation token learns")


def _soft_targets(answers: Answers, tau: float) -> None:
    st.header("Soft targets")
    teacher_entropy, most = entropy(answers.teacher, tau), math.log(len(answers.classes))
    chart, numbers = st.columns([5, 2], gap="medium")
    with chart:
        best = max(soft_targets(answers.teacher, tau))
        live_chart(
            lab_charts.soft_target_bars(answers, tau),
            key="lab_bars",
            title="Soft targets",
            alt=f"At temperature {tau:g} the teacher gives its largest class {best:.1%}.",
            height=320,
        )
    with numbers:
        st.metric(
            "Entropy of the soft targets",
            f"{teacher_entropy:.3f}",
            help=f"In nats. 0: one class has everything. ln {len(answers.classes)} = {most:.3f}: all have the same.",
        )
        st.metric(
            "Divergence of the student",
            f"{divergence(answers.student, answers.teacher, tau):.3f}",
            help="Kullback-Leibler divergence at this temperature, in nats, without the factor τ².",
        )
        st.caption(_in_words(teacher_entropy / most))
    st.table(
        _table(answers, tau),
        border="horizontal",
        hide_index=True,
        alt="Logits and probabilities of each class",
    )


def _in_words(spread: float) -> str:
    if spread < 0.05:
        return "The soft targets are nearly a hard label here: a higher τ shows the other classes."
    if spread > 0.95:
        return "All classes have nearly the same here: with such a high τ a student learns little from one image."
    return "The other classes have a visible share here: this is what a hard label leaves out."


def _table(answers: Answers, tau: float) -> list[dict[str, str]]:
    """A row for each class that is shown."""
    targets = {one: soft_targets(answers.teacher, one) for one in (1.0, tau, float(_TAU_OF_THE_NOTE))}
    own, moves = soft_targets(answers.student, tau), lab_charts.moves(answers, tau)
    return [
        {
            "Class": escape(answers.classes[number]) + (" (true)" if number == answers.label else ""),
            "Teacher's logit": f"{answers.teacher[number]:.4g}",
            **{f"Teacher, τ = {one:g}": _share(shares[number]) for one, shares in targets.items()},
            "Student's logit": f"{answers.student[number]:.4g}",
            f"Student, τ = {tau:g}": _share(own[number]),
            "A step moves its logit": f"{'up' if moves[number] > 0 else 'down'} {abs(moves[number]):.4f}",
        }
        for number in answers.shown
    ]


def _share(probability: float) -> str:
    """To four digits after the point; of a smaller one that there is one at all."""
    return "< 0.0001" if 0 < probability < 0.5e-4 else f"{probability:.4f}"


def _largest_move(answers: Answers, tau: float) -> str:
    moves = lab_charts.moves(answers, tau)
    largest = max(answers.shown, key=lambda number: abs(moves[number]))
    way = "up" if moves[largest] > 0 else "down"
    return f"A step moves the student's logit of {answers.classes[largest]} most: {way} by {abs(moves[largest]):.4f}."


def _why_the_factor(answers: Answers, tau: float) -> None:
    st.header("Why the factor τ²")
    size = lab_charts.gradient_size(answers, tau)
    first, second = st.columns(2, gap="medium")
    with first:
        live_chart(
            lab_charts.gradient_sizes(answers, tau),
            key="lab_sizes",
            alt=f"At temperature {tau:g} the gradient is {size * tau**2:.3g} with the factor and {size:.3g} without.",
            title="Size of the gradient by temperature",
            height=320,
        )
        st.caption(
            "Without the factor the gradient falls with 1/τ² at high temperatures, so with a higher τ the teacher "
            "would have less weight. With the factor the size comes close to a limit, and α alone decides how much "
            "weight the teacher has."
        )
    with second:
        live_chart(
            lab_charts.gradient_bars(answers, tau),
            key="lab_moves",
            title="Where a step moves each logit",
            alt=_largest_move(answers, tau),
            height=320,
        )
        st.caption(f"Where a step of training moves each of the student's logits at τ = {tau:g}.")
