"""Advice: said where a choice is known to hurt, and only there."""

import pytest

from deit_core import presets
from deit_core.spec import ExperimentSpec, advice, replace

SMOOTHED: dict[str, object] = {"optim.label_smoothing": 0.1}
SOFT: dict[str, object] = {"distillation.kind": "soft", "distillation.tau": 3.0}


def experiment(teacher: dict[str, object], student: dict[str, object]) -> ExperimentSpec:
    spec = presets.digits_quick()
    first, vit, deit = spec.runs
    return spec.with_changes(runs=(replace(first, teacher), vit, replace(deit, student)))


def test_soft_distillation_from_a_smoothed_teacher_is_advised_against() -> None:
    (sentence,) = advice(experiment(SMOOTHED, SOFT))
    assert sentence.startswith("deit learns from the probabilities of teacher, ")
    assert "label smoothing of 0.1" in sentence


NOT_MIXED: dict[str, object] = {"augment.mixup_alpha": 0.0, "distillation.alpha": 0.9}


def test_few_epochs_of_digits_that_are_not_mixed_are_advised_against() -> None:
    (sentence,) = advice(experiment({}, NOT_MIXED))
    assert sentence.startswith("deit will probably be behind a ViT")


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ({"optim.label_smoothing": 0.0}, SOFT),
        (SMOOTHED, SOFT | {"distillation.tau": 1.0}),
        (SMOOTHED, {"distillation.kind": "hard"}),
        ({}, NOT_MIXED | {"optim.epochs": 60}),
        ({}, NOT_MIXED | {"distillation.alpha": 0.5}),
        ({}, NOT_MIXED | {"augment.mixup_alpha": 0.8}),
    ],
)
def test_nothing_is_said_without_a_reason(teacher: dict[str, object], student: dict[str, object]) -> None:
    assert advice(experiment(teacher, student)) == []


@pytest.mark.parametrize("name", presets.names())
def test_no_preset_needs_advice(name: str) -> None:
    """But the lesson on teachers, which has the student of a smoothed one to show what that costs."""
    students = [sentence.partition(" ")[0] for sentence in advice(presets.get(name))]
    assert students == (["deit-smoothed"] if name == "lesson-teachers" else [])
