"""Calibration on the Compare page: is a model right as often as it says? Knows two runs and widgets."""

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.text import escape
from deit_core.analysis import (
    best_temperature,
    calibration_error,
    negative_log_likelihood,
    reliability,
)
from deit_core.results.comparison_figures import FEW_IMAGES_NOTE, reliability_figure, sureness_sentences
from deit_core.results.two_runs import Answers, TwoRuns


def show_calibration(two: TwoRuns) -> None:
    st.markdown("  \n".join(map(escape, sureness_sentences(two))))
    chart, table = st.columns([3, 4], gap="medium")
    drawn = reliability_figure(two)
    with chart:
        live_chart(drawn.figure, key="compare_reliability", title=drawn.title, alt=drawn.alt, height=420)
    with table:
        st.table(
            [_row(one, two) for one in two.models],
            border="horizontal",
            hide_index=True,
            alt="Calibration of each model",
        )
        st.caption(
            f"Below the diagonal a model is right less often than it says. {FEW_IMAGES_NOTE} The calibration error is "
            "the mean distance from the diagonal, by images. A temperature above 1 would make the model less sure; it "
            "is fitted on validation images (Guo et al. 2017, [arXiv:1706.04599](https://arxiv.org/abs/1706.04599))."
        )


def _row(one: Answers, two: TwoRuns) -> dict[str, str]:
    logits = one.predictions.logits
    temperature = best_temperature(one.kept.val.labels, one.kept.val.logits)
    mended = "–" if temperature is None else f"{negative_log_likelihood(two.labels, logits, temperature):.4f}"
    return {
        "Model": escape(one.name),
        "Calibration error": f"{calibration_error(reliability(two.labels, logits)):.2%}",
        "Negative log likelihood": f"{negative_log_likelihood(two.labels, logits):.4f}",
        "Best temperature": "–" if temperature is None else f"{temperature:.2f}",
        "The same at that temperature": mended,
    }
