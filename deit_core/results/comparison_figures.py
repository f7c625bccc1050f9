"""The figures of a comparison of two runs, each with a title and what it shows in words. For pages and for a file.

Knows two runs and what they answered; `deit_core.analysis` counts and `answer_charts` draws.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis import calibration_error, class_accuracies, confusion, reliability, soft_labels
from deit_core.analysis.calibration import Bin
from deit_core.results import answer_charts
from deit_core.results.role_looks import Look, looks
from deit_core.results.two_runs import Answers, TwoRuns


class Drawn(NamedTuple):
    """Attributes:
    title: a person's words among them, so escape it.
    figure: a plain Plotly dictionary.
    alt: what it shows, in a sentence, for people who do not see it.
    """

    title: str
    figure: dict[str, Any]
    alt: str


def has_matrices(two: TwoRuns) -> bool:
    """Whether there are so few classes that a matrix of them can be read."""
    return len(two.classes) <= answer_charts.MAX_CELLS


def confusion_figures(two: TwoRuns) -> list[Drawn]:
    """The confusion matrix of each of the two, and their difference, by shares of each true class."""
    shares = [_confusion_shares(one, two) for one in (two.first, two.second)]
    difference = shares[1] - shares[0]
    return [
        *(
            Drawn(
                one.name,
                answer_charts.matrix(cells, two.classes, across="answer", down="true class"),
                f"Confusion matrix of {one.name}: {_most_confused(cells, two.classes)}.",
            )
            for one, cells in zip((two.first, two.second), shares, strict=True)
        ),
        Drawn(
            f"{two.second.name} minus {two.first.name}",
            answer_charts.matrix(difference, two.classes, across="answer", down="true class", signed=True, form="+.0%"),
            f"Difference of both matrices: {_largest_change(difference, two.classes)}.",
        ),
    ]


def class_figure(two: TwoRuns) -> Drawn:
    """The accuracy of each model in each class."""
    found = [(one.name, _known(class_accuracies(two.labels, one.decisions, len(two.classes)))) for one in two.models]
    lowest, where = min(
        (value, f"{name} in class {label}")
        for name, values in found
        for label, value in zip(two.classes, values, strict=True)
        if value is not None
    )
    return Drawn(
        "Right in each class",
        answer_charts.class_bars(two.classes, found, _looks(two)),
        f"Accuracy in each class; the lowest is {lowest:.0%}, of {where}.",
    )


def soft_label_figures(two: TwoRuns, teacher: Answers) -> list[Drawn]:
    """What the teacher and each student say of the other classes."""
    students = [one for one in (two.first, two.second) if one.run.id != teacher.run.id]
    drawn = []
    for one in (teacher, *students):
        cells = soft_labels(two.labels, one.predictions.logits)
        np.fill_diagonal(cells, np.nan)
        figure = answer_charts.matrix(cells, two.classes, across="probability of", down="true class", form=".1%")
        largest = _likeliest_other(cells, two.classes)
        alt = f"Mean probabilities that {one.name} gives to the other classes: {largest}."
        drawn.append(Drawn(one.name, figure, alt))
    return drawn


def reliability_figure(two: TwoRuns) -> Drawn:
    """Accuracy against confidence of each model."""
    bins = [(one.name, reliability(two.labels, one.predictions.logits)) for one in two.models]
    return Drawn(
        "Reliability",
        answer_charts.reliability_curves(bins, _looks(two)),
        "; ".join(f"{name} {_how_sure(found)}" for name, found in bins) + ".",
    )


def _looks(two: TwoRuns) -> list[Look]:
    return looks([one.run.spec for one in two.models])


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


def _how_sure(bins: Sequence[Bin]) -> str:
    filled = [one for one in bins if one.num_images]
    weights = [one.num_images for one in filled]
    says, is_right = (
        np.average([getattr(one, which) for one in filled], weights=weights) for which in ("confidence", "accuracy")
    )
    return (
        f"is right on {is_right:.1%} and says {says:.1%}, with a calibration error of {calibration_error(filled):.1%}"
    )


def _likeliest_other(cells: NDArray[np.float64], classes: Sequence[str]) -> str:
    row, column = divmod(int(np.nan_to_num(cells).argmax()), len(cells))
    return f"the largest is {cells[row, column]:.1%}, of {classes[column]} for true class {classes[row]}"


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
