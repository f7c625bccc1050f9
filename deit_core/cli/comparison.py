"""A comparison of two runs for a terminal: sentences, then tables. Knows only its document."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from deit_core.cli.terminal import escape, say

_MOST_CLASSES = 20


def print_comparison(document: Mapping[str, Any]) -> None:
    verdict = document["verdict"]
    for sentence in verdict["sentences"]:
        say(sentence)
    for sentence in (*verdict["warnings"], *document["notes"]):
        say(f"Note: {sentence}")
    for sentence in verdict["next_steps"]:
        say(f"Try: {sentence}")
    models = document["models"]
    columns = "right", "negative log likelihood", "calibration error", "best temperature"
    _print("Models", ("model", *columns), ((one["name"], *_scores(one)) for one in models))
    _print(_class_title(document), ("class", *(one["name"] for one in models)), _class_rows(document))
    cases = document["who_is_right"]
    rows = ((", ".join(case["right"]) or "none", f"{len(case['images']):,}") for case in cases)
    _print("Images by the models that are right", ("right", "images"), rows)
    names, shares = document["disagreement"]["names"], document["disagreement"]["shares"]
    rows = ((name, *map(_percent, row)) for name, row in zip(names, shares, strict=True))
    _print("Share of images on which two differ", ("", *names), rows)
    if passed_on := document["passed_on"]:
        title = f"What {passed_on['teacher']} passed on"
        columns = "the same mistakes", "other mistakes", "right instead", "rank correlation of soft labels"
        _print(title, ("student", *columns), _students(passed_on))
        say("")
        say(" ".join(passed_on["sentences"]))
    for taught in document["training_views"]:
        say("")
        say(taught["sentence"])


def _print(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, title=escape(title), title_justify="left")
    for index, name in enumerate(head):
        table.add_column(escape(name), justify="right" if index else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    stdout = Console()  # as wide as the terminal is now
    stdout.print()
    stdout.print(table)


def _scores(model: Mapping[str, Any]) -> Iterator[str]:
    calibration = model["calibration"]
    yield _percent(model["accuracy"])
    yield _number(calibration["negative_log_likelihood"])
    yield _percent(calibration["error"])
    yield _number(calibration["temperature"])


def _class_title(document: Mapping[str, Any]) -> str:
    count = len(document["classes"])
    few = f": the {_MOST_CLASSES} of {count:,} in which the two differ most" if count > _MOST_CLASSES else ""
    return f"Right in each class{few}"


def _class_rows(document: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Of many classes those in which the two differ most."""
    models, classes = document["models"], document["classes"]
    first, second = (one["class_accuracies"] for one in models[-2:])

    def apart(label: int) -> float:
        return abs(float(second[label] or 0) - float(first[label] or 0))

    labels = sorted(range(len(classes)), key=apart, reverse=True)[:_MOST_CLASSES]
    for label in labels if len(classes) > _MOST_CLASSES else sorted(labels):
        yield classes[label], *(_percent(one["class_accuracies"][label]) for one in models)


def _students(passed_on: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, found in passed_on["inherited"].items():
        counts = (f"{found[which]:,}" for which in ("same", "other", "right"))
        yield name, *counts, _number(passed_on["rank_correlation"][name]["mean"])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
