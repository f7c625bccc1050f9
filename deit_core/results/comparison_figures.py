"""The figures of a comparison of two runs, each with a title and what it shows in words. For pages and for a file.

Knows two runs and what they answered; `deit_core.analysis` counts and `answer_charts` draws.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis import FEW_IMAGES, class_accuracies, confusion, reliability, soft_labels, sureness
from deit_core.results import answer_charts
from deit_core.results.role_looks import Look, looks
from deit_core.results.two_runs import Answers, TwoRuns

FEW_IMAGES_NOTE = (
    f"Pale marks without a line are bins with fewer than {FEW_IMAGES} images: there chance alone can change the share "
    "of right answers a lot. The bars count the images of each bin."
)


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
    """The confusion matrix of each of the two, and their difference, by shares of each true class, in percent."""
    models = (two.first, two.second)
    counts = [confusion(two.labels, one.decisions, len(two.classes)) for one in models]
    shares = [_shares(cells) for cells in counts]
    difference = shares[1] - shares[0]

    def answered(number: int, row: int, column: int) -> str:
        share, count, total = shares[number][row, column], counts[number][row, column], counts[number][row].sum()
        return f"{share:.0%}, {count:,} of {total:,} images" if total else "no image"

    def where(row: int, column: int) -> str:
        return f"True class {two.classes[row]}, answer {two.classes[column]}"

    def in_words(number: int, row: int, column: int) -> str:
        return f"{where(row, column)}: {answered(number, row, column)}."

    def both(row: int, column: int) -> str:
        return f"{where(row, column)}: " + "; ".join(
            f"{one.name} {answered(number, row, column)}" for number, one in enumerate(models)
        )

    drawn = []
    for number, one in enumerate(models):
        figure = answer_charts.matrix(
            shares[number],
            two.classes,
            across="answer",
            down="true class",
            numbers=lambda share: f"{100 * share:.0f}",
            words=partial(in_words, number),
        )
        alt = f"Confusion matrix of {one.name}: {_most_confused(shares[number], two.classes)}."
        drawn.append(Drawn(one.name, figure, alt))
    figure = answer_charts.matrix(
        difference,
        two.classes,
        across="answer",
        down="true class",
        numbers=_signed,
        words=lambda row, column: f"{both(row, column)}.",
        signed=True,
    )
    title = f"{two.second.name} minus {two.first.name}"
    return [*drawn, Drawn(title, figure, f"Difference of both matrices: {_largest_change(difference, two.classes)}.")]


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
    """What the teacher and each student say of the other classes, in percent."""

    def in_words(cells: NDArray[np.float64], row: int, column: int) -> str:
        return f"True class {two.classes[row]}, probability of {two.classes[column]}: {_mean(cells[row, column])}."

    drawn = []
    for one in (teacher, two.first, two.second):
        cells = soft_labels(two.labels, one.predictions.logits)
        np.fill_diagonal(cells, np.nan)
        figure = answer_charts.matrix(
            cells,
            two.classes,
            across="probability of",
            down="true class",
            numbers=_tenths,
            words=partial(in_words, cells),
        )
        largest = _likeliest_other(cells, two.classes)
        alt = f"Mean probabilities that {one.name} gives to the other classes: {largest}."
        drawn.append(Drawn(one.name, figure, alt))
    return drawn


def reliability_figure(two: TwoRuns) -> Drawn:
    """Accuracy against confidence of each model, and the number of images behind it."""
    bins = [(one.name, reliability(two.labels, one.predictions.logits)) for one in two.models]
    return Drawn("Reliability", answer_charts.reliability_curves(bins, _looks(two)), " ".join(sureness_sentences(two)))


def sureness_sentences(two: TwoRuns) -> list[str]:
    """Which models are over- or underconfident, one sentence each."""
    return [f"{one.name} {sureness(two.labels, one.predictions.logits).words}." for one in two.models]


def _looks(two: TwoRuns) -> list[Look]:
    return looks([one.run.spec for one in two.models])


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each row; NaN in one without an image."""
    sums = counts.sum(axis=1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(counts, sums, out=np.full(counts.shape, np.nan), where=sums > 0)
    return shares


def _signed(share: float) -> str:
    """In points, without a sign before nothing."""
    points = round(100 * share)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _tenths(share: float) -> str:
    """In percent, to a tenth where that is more than half of what there is."""
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"


def _mean(share: float) -> str:
    return "left out" if np.isnan(share) else f"{share:.1%} in the mean"


def _most_confused(cells: NDArray[np.float64], classes: Sequence[str]) -> str:
    others = np.nan_to_num(cells * (1 - np.eye(len(cells))))
    row, column = divmod(int(others.argmax()), len(others))
    return f"of {classes[row]}, {others[row, column]:.0%} are taken for {classes[column]}, the most of all"


def _largest_change(difference: NDArray[np.float64], classes: Sequence[str]) -> str:
    known = np.nan_to_num(difference)
    row, column = divmod(int(np.abs(known).argmax()), len(known))
    return f"the largest is {known[row, column]:+.0%} for true class {classes[row]} and answer {classes[column]}"


def _likeliest_other(cells: NDArray[np.float64], classes: Sequence[str]) -> str:
    row, column = divmod(int(np.nan_to_num(cells).argmax()), len(cells))
    return f"the largest is {cells[row, column]:.1%}, of {classes[column]} for true class {classes[row]}"


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
