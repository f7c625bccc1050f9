"""Where the models are wrong: confusion matrices, accuracy by class, and the images of each case of who is right.

Knows two runs and widgets; `deit_core.analysis` counts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.live_chart import live_chart
from dashboard.run_status import colours_of
from dashboard.text import escape
from dashboard.views.compare import answer_charts
from dashboard.views.compare.gallery import gallery
from deit_core.analysis import class_accuracies, confusion, who_is_right, worst_mistakes
from deit_core.results.two_runs import Answers, TwoRuns

_MOST_ROWS = 20


def show_mistakes(two: TwoRuns) -> None:
    if len(two.classes) <= answer_charts.MAX_CELLS:
        _matrices(two)
        _class_chart(two)
    else:
        _largest_differences(two)
    _images(two)


def _matrices(two: TwoRuns) -> None:
    shares = [_confusion_shares(one, two) for one in (two.first, two.second)]
    places = st.columns(3, gap="small")
    for place, one, cells in zip(places, (two.first, two.second), shares, strict=False):
        with place:
            st.markdown(f"**{escape(one.name)}**")
            live_chart(
                answer_charts.matrix(cells, two.classes, across="answer", down="true class"),
                key=f"compare_confusion_{one.run.id}",
                alt=f"Confusion matrix of {one.name}: {_most_confused(cells, two.classes)}",
                height=380,
                filename="confusion",
            )
    with places[2]:
        st.markdown(f"**{escape(two.second.name)} minus {escape(two.first.name)}**")
        difference = shares[1] - shares[0]
        live_chart(
            answer_charts.matrix(difference, two.classes, across="answer", down="true class", signed=True, form="+.0%"),
            key="compare_confusion_difference",
            alt=f"Difference of both matrices: {_largest_change(difference, two.classes)}",
            height=380,
            filename="confusion-difference",
        )
    st.caption("Each row is a true class; its cells are the shares of that class's images by what the model answers.")


def _confusion_shares(one: Answers, two: TwoRuns) -> NDArray[np.float64]:
    cells = confusion(two.labels, one.decisions, len(two.classes)).astype(np.float64)
    sums = cells.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(cells, sums, out=np.full_like(cells, np.nan), where=sums > 0)
    return shares


def _most_confused(cells: NDArray[np.float64], classes: Sequence[str]) -> str:
    others = np.nan_to_num(cells * (1 - np.eye(len(cells))))
    row, column = divmod(int(others.argmax()), len(others))
    return f"of {classes[row]}, {others[row, column]:.0%} are taken for {classes[column]}, the most of all"


def _largest_change(difference: NDArray[np.float64], classes: Sequence[str]) -> str:
    known = np.nan_to_num(difference)
    row, column = divmod(int(np.abs(known).argmax()), len(known))
    return f"the largest is {known[row, column]:+.0%} for true class {classes[row]} and answer {classes[column]}"


def _class_chart(two: TwoRuns) -> None:
    found = [(one.name, _known(class_accuracies(two.labels, one.decisions, len(two.classes)))) for one in two.models]
    every = [
        (value, f"{name} in class {label}")
        for name, values in found
        for label, value in zip(two.classes, values, strict=True)
        if value is not None
    ]
    lowest, where = min(every)
    live_chart(
        answer_charts.class_bars(two.classes, found, colours_of([one.run for one in two.models])),
        key="compare_classes",
        alt=f"Accuracy in each class; the lowest is {lowest:.0%}, of {where}.",
        height=300,
        filename="classes",
    )


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


def _known(values: NDArray[np.float64]) -> list[Any]:
    return [None if np.isnan(value) else float(value) for value in values]
