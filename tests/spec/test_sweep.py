"""A sweep: which runs it makes of an experiment, what they are called, and what cannot be swept."""

import math
from collections import Counter

import pytest

from deit_core import presets
from deit_core.analysis.rough_time import sweep_factors
from deit_core.errors import SpecError
from deit_core.spec import (
    ExperimentSpec,
    RunSpec,
    kind_of,
    load_spec,
    parse_values,
    replace,
    trainings,
    with_sweep,
    without_places,
)

LRS = "optim.lr=1e-3,2e-3"


def sweep(*texts: str, of: ExperimentSpec | RunSpec | None = None, **options: object) -> ExperimentSpec:
    return with_sweep(of or presets.digits_quick(), parse_values(texts), **options)


def names(spec: ExperimentSpec) -> list[str]:
    return [run.name for run in trainings(spec)]


def test_a_grid_varies_the_students_and_trains_their_teacher_once() -> None:
    spec = sweep(LRS, "model.depth=2,4")
    assert names(spec) == [
        "teacher",
        *("vit lr 0.001 depth 2", "deit lr 0.001 depth 2", "vit lr 0.001 depth 4", "deit lr 0.001 depth 4"),
        *("vit lr 0.002 depth 2", "deit lr 0.002 depth 2", "vit lr 0.002 depth 4", "deit lr 0.002 depth 4"),
    ]
    teacher, vit, deit, *_ = runs = trainings(spec)
    base = presets.digits_quick()
    assert teacher == base.runs[0].with_changes(tags=("search",))
    assert (vit.optim.lr, vit.model.depth) == (1e-3, 2)
    assert deit.with_changes(name="deit", tags=()) == replace(base.runs[2], {"optim.lr": 1e-3, "model.depth": 2})
    assert {run.tags for run in runs} == {("search",)}
    assert {run.distillation.teacher for run in runs if run.distillation} == {"teacher"}


def test_a_field_of_some_runs_repeats_these_alone() -> None:
    assert names(sweep("distillation.tau=1,2")) == ["teacher", "vit", "deit tau 1", "deit tau 2"]
    assert names(sweep("vit.optim.epochs=5,10")) == ["teacher", "vit epochs 5", "deit", "vit epochs 10"]


def test_what_no_student_has_is_swept_in_the_teacher_and_students_follow_it() -> None:
    runs = trainings(sweep("teacher.optim.epochs=6,7"))
    assert [run.name for run in runs] == [
        *("teacher epochs 6", "vit", "deit teacher epochs 6", "teacher epochs 7", "deit teacher epochs 7"),
    ]
    assert [run.distillation.teacher for run in runs if run.distillation] == ["teacher epochs 6", "teacher epochs 7"]
    assert {run.optim.epochs for run in runs if run.distillation} == {presets.digits_quick().runs[2].optim.epochs}
    assert len(trainings(sweep("model.width=8,16"))) == 5, "a field of the teacher's network alone"


def test_a_teacher_learns_from_the_images_of_its_students() -> None:
    runs = {run.name: run for run in trainings(sweep("data.fraction=0.5,1"))}
    assert len(runs) == 6
    deit = runs["deit fraction 0.5"]
    assert deit.distillation is not None
    assert deit.distillation.teacher == "teacher fraction 0.5"
    assert runs["teacher fraction 0.5"].data == deit.data


def test_teachers_of_the_experiment_can_be_the_values() -> None:
    teacher, vit, deit = presets.digits_quick().runs
    two = ExperimentSpec(name="two", runs=(teacher, teacher.with_changes(name="other"), vit, deit))
    runs = trainings(sweep("distillation.teacher=teacher,other", "other.optim.epochs=6,7", of=two))
    assert {run.distillation.teacher for run in runs if run.distillation} == {
        *("teacher", "other epochs 6", "other epochs 7"),
    }


def test_a_single_run_is_swept_as_an_experiment() -> None:
    spec = sweep("seed=1,2,3", of=presets.smoke())
    assert names(spec) == ["smoke seed 1", "smoke seed 2", "smoke seed 3"]
    assert spec.name == "smoke sweep"


def test_seeds_repeat_what_a_sweep_makes() -> None:
    spec = replace(sweep("distillation.tau=1,2"), {"seeds": 2})
    assert names(spec) == ["teacher", "vit", "deit tau 1", "deit tau 2", "vit-s43", "deit tau 1-s43", "deit tau 2-s43"]
    assert Counter(kind_of(spec, name) for name in names(spec)) == {"teacher": 1, "vit": 2, "deit": 4}


def test_a_range_is_drawn_uniformly_in_the_logarithm() -> None:
    spec = sweep("optim.lr=1e-4..1e-2", of=presets.smoke(), trials=300)
    rates = [run.optim.lr for run in trainings(spec)]
    assert len(set(rates)) > 250
    assert 1e-4 <= min(rates) < 1.2e-4
    assert 0.8e-2 < max(rates) <= 1e-2
    assert sum(rate < 1e-3 for rate in rates) == pytest.approx(150, abs=30)
    assert math.isclose(rates[0], float(f"{rates[0]:.3g}")), "of numbers that people can read"


def test_whole_numbers_and_ranges_from_zero_are_drawn_uniformly() -> None:
    runs = trainings(sweep("model.depth=1..4", "optim.weight_decay=0..0.2", of=presets.smoke(), trials=200))
    depths = Counter(run.model.depth for run in runs)
    assert sorted(depths) == [1, 2, 3, 4]
    assert min(depths.values()) > 30
    assert sum(run.optim.weight_decay < 0.1 for run in runs) == pytest.approx(100, abs=25)


def test_a_draw_is_told_by_its_seed_and_goes_on_where_a_smaller_one_ended() -> None:
    def drawn(trials: int, seed: int = 0) -> list[str]:
        return names(sweep("optim.lr=1e-4..1e-2", "model.depth=1,2,3", of=presets.smoke(), trials=trials, seed=seed))

    assert drawn(10) == drawn(10) == drawn(20)[:10]
    assert drawn(10, seed=1) != drawn(10)


def test_no_combination_is_drawn_twice() -> None:
    drawn = names(sweep("model.depth=1,2,3", "seed=1,2", of=presets.smoke(), trials=5))
    assert len(set(drawn)) == 5
    every = sweep("model.depth=1,2,3", "seed=1,2", of=presets.smoke(), trials=50)
    assert names(every) == names(sweep("model.depth=1,2,3", "seed=1,2", of=presets.smoke()))
    assert len(names(sweep("optim.lr=1..1.02", of=presets.smoke(), trials=50))) == 3, "of three digits"


def test_it_survives_json_and_keeps_its_paths_to_itself() -> None:
    spec = sweep("data.source=folder", "data.path=/home/ann/cats,/home/ann/dogs", of=presets.smoke())
    assert load_spec(spec.model_dump_json()) == spec
    shown = without_places(spec)
    assert isinstance(shown, ExperimentSpec)
    assert shown.sweep is not None
    assert shown.sweep.values["data.path"] == ("cats", "dogs")


def test_a_name_that_would_be_too_long_has_a_number() -> None:
    paths = ["augment.mixup_switch_prob", "optim.label_smoothing", "augment.mixup_prob"]
    spec = sweep(*(f"{path}=0.1,0.2" for path in paths))
    assert names(spec)[-1] == "deit mixup_switch_prob 0.2 label_smoothing 0.2 mixup_prob 0.2"
    longer = sweep(*(f"{path}=0.1,0.2" for path in [*paths, "optim.ema_decay"]))
    assert names(longer) == ["teacher", *(f"{name} {number}" for number in range(1, 17) for name in ("vit", "deit"))]


def test_its_work_is_counted_from_that_of_its_runs() -> None:
    factors = sweep_factors(sweep("optim.epochs=15,30,60"))
    epochs = presets.digits_quick().runs[1].optim.epochs
    assert factors == pytest.approx({"teacher": 1.0, "vit": 105 / epochs, "deit": factors["deit"]})


@pytest.mark.parametrize(
    ("texts", "options", "sentence"),
    [
        (["optim.lr"], {}, "Values to try are written FIELD=VALUE,VALUE or FIELD=LOW..HIGH, such as"),
        (["optim.lr=1e-4..1e-2"], {}, "The values of optim.lr are a range, from which some are drawn"),
        (["optim.lr=1e-2..1e-4"], {"trials": 3}, "A range begins with its smaller number, not as 0.01..0.0001"),
        ([LRS, LRS], {}, "optim.lr is swept twice"),
        (["optim.lr=1e-3,1e-3"], {}, "A value of optim.lr is named twice"),
        (["optim.lrr=1,2"], {}, "There is no field optim.lrr; did you mean optim.lr?"),
        (["vit.optim.lr=1e-3", LRS], {}, "Two of the swept fields are optim.lr of 'vit'; leave out one of them."),
        (["model.depth=1,2.5"], {}, "vit depth 2.5: model.depth should be a valid integer"),
        (["model.depth=1.2..1.8"], {"trials": 2}, "takes only whole numbers, and none lies from 1.2 to 1.8"),
        (["name=a,b"], {}, "A sweep cannot vary name"),
        (["vit.data.fraction=0.1,0.2", "deit.data.fraction=0.1"], {}, "split their data differently"),
        (["seed=" + ",".join(map(str, range(1001)))], {}, "This sweep asks for 1,001 trainings, and 1,000 can be"),
        (["seed=" + ",".join(map(str, range(600)))], {}, "This sweep asks for 1,201 trainings, and 1,000 can be"),
    ],
)
def test_what_cannot_be_swept_is_a_sentence(texts: list[str], options: dict[str, int], sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        sweep(*texts, **options)
    assert sentence in str(refused.value)
