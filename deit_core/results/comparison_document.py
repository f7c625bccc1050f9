"""All that a comparison of two runs says, as plain data with numbers that are not rounded: for JSON, and for tables.

Knows two runs and what they answered; `deit_core.analysis` computes.
"""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis import (
    PAPERS_DISAGREEMENT,
    Paired,
    Verdict,
    best_temperature,
    calibration_error,
    class_accuracies,
    confusion,
    dark_knowledge,
    disagreement,
    inherited,
    negative_log_likelihood,
    reliability,
    soft_labels,
    who_is_right,
    worst_mistakes,
)
from deit_core.results.model_card import role
from deit_core.results.taught_views import TaughtViews
from deit_core.results.two_runs import Answers, TwoRuns


def comparison_document(two: TwoRuns) -> dict[str, Any]:
    """Classes and images are named by their numbers, from 0; what cannot be known is None."""
    shares = disagreement(two.decisions)
    return {
        "part": two.part,
        "num_images": len(two.labels),
        "classes": list(two.classes),
        "notes": list(two.notes),
        "verdict": _verdict(two.verdict),
        "models": [_model(one, two) for one in two.models],
        "who_is_right": _who_is_right(two),
        "disagreement": {"names": list(two.decisions), "shares": _plain(shares)},
        "disagreement_in_the_paper": [[*pair, share] for pair, share in PAPERS_DISAGREEMENT.items()],
        "passed_on": _passed_on(two, two.teacher) if two.teacher is not None else None,
        "training_views": [_taught(one) for one in two.taught],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    closed = verdict.background.closed
    return {
        "sentences": [*verdict.sentences, *verdict.class_sentences],
        "warnings": verdict.warnings,
        "next_steps": verdict.next_steps,
        "first": verdict.names[0],
        "second": verdict.names[1],
        "leader": verdict.leader,
        "difference": verdict.difference,
        "interval": list(verdict.interval),
        "num_seeds": verdict.num_seeds,
        "images": _paired(verdict.paired),
        "largest_class": list(verdict.largest),
        "classes": [
            {"label": one.label, **_paired(one.paired), "p_value_of_holm": one.p_value} for one in verdict.changes
        ],
        "closed_share": None if closed is None else {**asdict(closed), "interval": _pair(closed.interval)},
    }


def _paired(found: Paired) -> dict[str, Any]:
    return {
        **asdict(found),
        "difference": found.difference,
        "interval": list(found.interval()),
        "p_value": found.p_value,
        "images_needed": found.images_needed,
    }


def _model(one: Answers, two: TwoRuns) -> dict[str, Any]:
    labels, logits, num_classes = two.labels, one.predictions.logits, len(two.classes)
    cells = confusion(labels, one.decisions, num_classes)
    bins = reliability(labels, logits)
    temperature = best_temperature(one.kept.val.labels, one.kept.val.logits)
    return {
        "name": one.name,
        "run": {"id": one.run.id, "number": one.run.number, "name": one.run.name, "role": role(one.run.spec)},
        "accuracy": float((one.decisions == labels).mean()),
        "class_accuracies": _plain(class_accuracies(labels, one.decisions, num_classes)),
        "confusion": [[int(row), int(column), int(cells[row, column])] for row, column in np.argwhere(cells)],
        "worst_mistakes": [mistake._asdict() for mistake in worst_mistakes(labels, logits)],
        "calibration": {
            "bins": [{name: _known(value) for name, value in one_bin._asdict().items()} for one_bin in bins],
            "error": calibration_error(bins),
            "negative_log_likelihood": negative_log_likelihood(labels, logits),
            "temperature": temperature,
            "with_temperature": None if temperature is None else negative_log_likelihood(labels, logits, temperature),
        },
    }


def _who_is_right(two: TwoRuns) -> list[dict[str, Any]]:
    names = [one.name for one in two.models]
    cases = who_is_right(two.labels, [one.decisions for one in two.models])
    return [
        {"right": [name for name, is_right in zip(names, case, strict=True) if is_right], "images": images.tolist()}
        for case, images in cases.items()
    ]


def _passed_on(two: TwoRuns, teacher: Answers) -> dict[str, Any]:
    students = two.first, two.second
    found = two.passed_on
    assert found is not None, "there is a teacher"
    own = soft_labels(two.labels, teacher.predictions.logits)
    knowledge = {one.name: dark_knowledge(own, soft_labels(two.labels, one.predictions.logits)) for one in students}
    repeated = {one.name: inherited(two.labels, teacher.decisions, one.decisions) for one in students}
    return {
        "teacher": teacher.name,
        "inherited": {name: {**asdict(found), "share": found.share} for name, found in repeated.items()},
        "agreement": _paired(found.agreement),
        "inherited_by_second": None if found.mistakes is None else _paired(found.mistakes),
        "sentences": found.sentences,
        "rank_correlation": {
            name: {"mean": found.mean, "by_class": _plain(found.by_class)} for name, found in knowledge.items()
        },
    }


def _taught(taught: TaughtViews) -> dict[str, Any]:
    """The counts are None where there are no views; the sentence says why."""
    counts = taught.counts
    return {
        "student": taught.name,
        "sentence": taught.sentence,
        "epoch": None if taught.kept is None else taught.kept.facts.epoch,
        "counts": None if counts is None else {**asdict(counts), "share": counts.share},
        "contradicted": [
            {"image": one.image, "labels": list(one.labels), "teacher": one.answer, "probability": one.probability}
            for one in taught.contradicted_views
        ],
    }


def _plain(array: NDArray[np.float64]) -> list[Any]:
    """Lists of numbers; None for what is none."""
    return [_plain(row) for row in array] if array.ndim > 1 else [_known(float(value)) for value in array]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)
