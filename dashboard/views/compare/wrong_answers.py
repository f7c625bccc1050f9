"""Where the models are wrong: confusion matrices, accuracy by class, and the images of each case of who is right.

Knows two runs and widgets; `deit_core.analysis` counts.
"""

import numpy as np
import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.text import escape
from dashboard.views.compare.gallery import gallery
from deit_core.analysis import class_accuracies, who_is_right, worst_mistakes
from deit_core.results.comparison_figures import Drawn, class_figure, confusion_figures, has_matrices
from deit_core.results.two_runs import TwoRuns

_MOST_ROWS = 20


def show_mistakes(two: TwoRuns) -> None:
    if has_matrices(two):
        for number, (place, drawn) in enumerate(zip(st.columns(3, gap="small"), confusion_figures(two), strict=True)):
            with place:
                st.markdown(f"**{escape(drawn.title)}**")
                _draw(drawn, f"confusion_{number}", f"Confusion matrix of {drawn.title}", height=380)
        st.caption(
            "Each row is a true class, each column an answer. A cell is the share of the images of that class that "
            "get that answer, in percent. Choose a matrix with Tab, then move through its cells with the arrow keys."
        )
        by_class = class_figure(two)
        _draw(by_class, "classes", by_class.title, height=300)
    else:
        _largest_differences(two)
    _images(two)


def _draw(drawn: Drawn, name: str, title: str, *, height: int) -> None:
    live_chart(drawn.figure, key=f"compare_{name}", title=title, alt=drawn.alt, height=height)


def _largest_differences(two: TwoRuns) -> None:
    """Of many classes, those in which the two differ most."""
    found = [class_accuracies(two.labels, one.decisions, len(two.classes)) for one in two.models]
    apart = np.nan_to_num(np.abs(found[-1] - found[-2]))
    rows = [
        {"Class": escape(two.classes[label])}
        | {escape(one.name): f"{values[label]:.1%}" for one, values in zip(two.models, found, strict=True)}
        for label in np.argsort(-apart, kind="stable")[:_MOST_ROWS]
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="The classes in which both models differ most")
    st.caption(f"The {len(rows)} of {len(two.classes):,} classes in which both models differ most.")


def _images(two: TwoRuns) -> None:
    """The images of a case, chosen by who is right on them."""
    cases = who_is_right(two.labels, [one.decisions for one in two.models])
    by_title = {_title(case, two, len(images)): images for case, images in cases.items()}
    for one in (two.first, two.second):
        worst = worst_mistakes(two.labels, one.predictions.logits)
        by_title[f"Worst mistakes of {one.name}"] = np.array([mistake.image for mistake in worst], np.int64)
    only_second = next(number for number, case in enumerate(cases) if case[-2:] == (False, True))
    titles = list(by_title)
    title = st.selectbox("Images", titles, index=only_second, key="compare_case")
    gallery(two, by_title[title])


def _title(case: tuple[bool, ...], two: TwoRuns, count: int) -> str:
    right, wrong = (
        [one.name for one, is_right in zip(two.models, case, strict=True) if is_right == wanted]
        for wanted in (True, False)
    )
    parts = [f"{', '.join(names)} {word}" for names, word in ((right, "right"), (wrong, "wrong")) if names]
    return f"{'; '.join(parts)}: {count:,} image{'' if count == 1 else 's'}"
