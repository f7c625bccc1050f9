"""What varies in an experiment, and the numbers against it, counted by hand."""

from collections.abc import Mapping

import pytest

from deit_core import presets
from deit_core.analysis import NOTHING, Point, Variation, variation
from deit_core.spec import ExperimentSpec, RunSpec, replace, trainings

TEACHER, VIT, DEIT = presets.digits_quick().runs


def vary(spec: ExperimentSpec, scores: Mapping[str, float] | None = None) -> Variation:
    """Of an experiment whose runs have their names for ids. Args: scores: by name; 0.5 for every run by default."""
    runs = {run.name: run for run in trainings(spec)}
    return variation(list(runs), runs, scores if scores is not None else dict.fromkeys(runs, 0.5))


def of(*runs: RunSpec, seeds: int = 1) -> ExperimentSpec:
    return ExperimentSpec(name="made up", runs=runs, seeds=seeds)


def pairs(path: str, *values: object) -> list[RunSpec]:
    return [replace(run, {"name": f"{run.name}-{value}", path: value}) for value in values for run in (VIT, DEIT)]


def points(found: tuple[Point, ...]) -> list[tuple[tuple[object, ...], float]]:
    return [(point.values, pytest.approx(point.accuracy.mean)) for point in found]


def test_accuracy_and_gain_against_a_number_are_those_of_the_seeds() -> None:
    """Gains of 2, 3 and 4 points at 5 epochs: mean 3, and half the interval 4.3027 / sqrt(3) times their sd of 1."""
    scores = {"teacher": 0.9, "vit-10": 0.7, "deit-10": 0.75, "vit-5": 0.6, "deit-5": 0.62}
    scores |= {"vit-5-s43": 0.61, "deit-5-s43": 0.64, "vit-5-s44": 0.62, "deit-5-s44": 0.66}
    found = vary(of(TEACHER, *pairs("optim.epochs", 10, 5), seeds=3), scores)
    (axis,) = found.axes
    assert (axis.path, axis.values, axis.also) == ("optim.epochs", (5, 10), ())
    by_place = {row.values[0]: row for row in found.rows}
    assert list(by_place) == [5, 10]
    five = by_place[5]
    assert five.plain is not None
    assert five.taught is not None
    assert five.plain.accuracy.mean == pytest.approx(0.61)
    assert five.taught.accuracy.interval == pytest.approx((0.5903172, 0.6896828), abs=1e-6)
    assert five.taught.teacher == 0.9
    assert five.taught.gain is not None
    assert five.taught.gain.values == pytest.approx((0.02, 0.03, 0.04))
    assert five.taught.gain.interval == pytest.approx((0.0051586, 0.0548414), abs=1e-6)
    ten = by_place[10]
    assert ten.taught is not None
    assert ten.taught.gain is not None
    assert ten.taught.gain.values == pytest.approx((0.05,))
    assert ten.taught.gain.interval is None


def test_fields_that_change_together_are_one_axis() -> None:
    (axis,) = vary(presets.get("fashion-fractions")).axes  # type: ignore[arg-type]
    assert axis.path == "data.fraction"
    assert axis.values == (0.01, 0.05, 0.1, 1.0)
    assert axis.also == ("optim.epochs", "optim.warmup_epochs", "distillation.teacher")


def test_each_student_has_its_own_teacher() -> None:
    spec: ExperimentSpec = presets.get("fashion-fractions")  # type: ignore[assignment]
    scores = {run.name: 0.5 for run in spec.runs} | {"teacher-1pct": 0.7, "teacher-100pct": 0.9}
    found = vary(spec, scores)
    assert [row.taught.teacher for row in found.rows if row.taught] == [0.7, 0.5, 0.5, 0.9]


def test_what_only_a_deit_has_is_compared_with_one_vit() -> None:
    deits = [replace(DEIT, {"name": f"deit-{alpha}", "distillation.alpha": alpha}) for alpha in (0.9, 0.1, 0.5)]
    scores = {"teacher": 0.9, "vit": 0.7, "deit-0.1": 0.71, "deit-0.5": 0.75, "deit-0.9": 0.68}
    found = vary(of(TEACHER, VIT, *deits), scores)
    assert found.axes[0].values == (0.1, 0.5, 0.9)
    assert points(found.plain) == [((None,), 0.7)]
    assert [row.plain for row in found.rows] == [found.plain[0]] * 3
    gains = [row.taught.gain.mean for row in found.rows if row.taught and row.taught.gain]
    assert gains == pytest.approx([0.01, 0.05, -0.02])


def test_kinds_are_categories_in_the_order_of_the_runs() -> None:
    hard = replace(DEIT, {"name": "hard", "distillation.kind": "hard", "distillation.alpha": 0.5})
    (axis,) = vary(of(TEACHER, hard, DEIT)).axes
    assert (axis.path, axis.values, axis.is_number) == ("distillation.kind", ("hard", "soft"), False)
    assert axis.also == ("distillation.alpha",)


def test_of_two_fields_the_number_with_most_values_runs_to_the_right() -> None:
    deits = [
        replace(DEIT, {"name": f"deit-{kind}-{tau}", "distillation.kind": kind, "distillation.alpha": alpha})
        for kind in ("soft", "hard")
        for tau, alpha in ((1, 0.1), (2, 0.5), (3, 0.9))
    ]
    found = vary(of(TEACHER, *deits))
    assert [axis.path for axis in found.axes] == ["distillation.alpha", "distillation.kind"]
    assert [row.values for row in found.rows] == [
        (alpha, kind) for alpha in (0.1, 0.5, 0.9) for kind in ("soft", "hard")
    ]
    assert all(row.plain is None and row.taught and row.taught.gain is None for row in found.rows)


def test_a_vit_that_is_not_alike_gives_no_gain() -> None:
    longer = replace(VIT, {"name": "vit-30", "optim.epochs": 30})
    found = vary(of(TEACHER, longer, *pairs("optim.epochs", 5, 10)[1::2]))
    assert [row.values for row in found.rows] == [(5,), (10,), (30,)]
    assert all(row.taught is None or row.taught.gain is None for row in found.rows)


def test_recipes_that_change_one_field_each_are_one_axis() -> None:
    found = vary(presets.get("ablation"))  # type: ignore[arg-type]
    (axis,) = found.axes
    assert axis.path == ""
    assert axis.values[:2] == (NOTHING, "augment.mixup_alpha=0")
    assert len(axis.values) == 9
    assert [row.values[0] for row in found.rows] == list(axis.values)
    assert all(row.plain and row.taught and row.taught.gain for row in found.rows)


def test_repeated_augmentation_has_batches_and_views() -> None:
    found = vary(presets.get("repeated-aug"))  # type: ignore[arg-type]
    assert [(axis.path, axis.values) for axis in found.axes] == [
        ("optim.batch_size", (32, 256)),
        ("augment.repeated_aug", (1, 3)),
    ]
    assert all(row.plain and row.taught and row.taught.gain for row in found.rows)


def test_teachers_are_called_by_their_names() -> None:
    found = vary(presets.get("table-2"))  # type: ignore[arg-type]
    assert [(axis.path, axis.values) for axis in found.axes] == [("distillation.teacher", ("cnn", "transformer"))]
    assert points(found.plain) == [((None,), 0.5)]


def test_table_3_has_the_token_and_the_kind() -> None:
    found = vary(presets.get("table-3"))  # type: ignore[arg-type]
    assert [(axis.path, axis.values) for axis in found.axes] == [
        ("model.distilled", (False, True)),
        ("distillation.kind", ("soft", "hard")),
    ]
    assert [row.values for row in found.rows] == [(False, "soft"), (False, "hard"), (True, "hard")]
    assert all(row.plain is found.plain[0] and row.taught and row.taught.gain for row in found.rows)


def test_two_teachers_of_one_name_are_told_apart() -> None:
    runs = {"a": TEACHER, "b": replace(TEACHER, {"model.width": 8}), "vit": VIT}
    runs |= {f"deit-{one}": replace(DEIT, {"distillation.teacher": one}) for one in ("a", "b")}
    found = variation(list(runs), runs, dict.fromkeys(runs, 0.5))
    assert [axis.values for axis in found.axes] == [("teacher (a)", "teacher (b)")]
    assert len(found.rows) == 2


def test_three_fields_are_too_many() -> None:
    changes = [{"optim.epochs": 5, "optim.lr": 1e-3}, {"optim.lr": 1e-3, "model.depth": 2}, {"model.depth": 2}]
    vits = [replace(VIT, {"name": f"vit-{number}", **each}) for number, each in enumerate(changes)]
    found = vary(of(VIT, *vits))
    assert found.axes == ()
    assert found.reason == (
        "Its runs vary in 3 fields (model.depth, optim.epochs, optim.lr); a chart shows one or two."
    )


def test_an_experiment_that_varies_nothing_says_so() -> None:
    found = vary(replace(presets.digits_quick(), {"seeds": 3}))
    assert found.axes == ()
    assert found.reason == "Its runs vary in nothing but the seed and whether they have a teacher."


@pytest.mark.parametrize("scores", [{}, {"vit": 0.5}, {"teacher": 0.9}])
def test_too_few_finished_runs_are_said(scores: dict[str, float]) -> None:
    assert "fewer than two recipes" in vary(presets.digits_quick(), scores).reason


def test_an_experiment_of_one_run_is_said() -> None:
    assert "fewer than two recipes" in vary(of(VIT, seeds=3)).reason
