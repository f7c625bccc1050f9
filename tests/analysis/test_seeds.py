"""Mean, spread and paired differences over seeds, against numbers worked out by hand and against scipy."""

from typing import Any

import pytest
from scipy import stats

from deit_core import presets
from deit_core.analysis import Sample, best_pairings, distillation_pairings, sampling_sd, seed_groups
from deit_core.spec import RunSpec, replace, trainings


def trio(**changes: Any) -> dict[str, RunSpec]:
    """The trainings of an experiment by their names, which stand for their ids."""
    spec = replace(presets.digits_quick(), changes)
    return {run.name: run for run in trainings(spec)}


def changed(spec: RunSpec, changes: dict[str, Any]) -> RunSpec:
    return replace(spec, changes)


def groups_of(runs: dict[str, RunSpec]) -> list[list[str]]:
    return seed_groups(list(runs), runs)


def test_mean_and_sd_worked_out_by_hand() -> None:
    sample = Sample((0.80, 0.82, 0.87))  # deviations -0.03, -0.01, 0.04; squares 0.0009 + 0.0001 + 0.0016 = 0.0026
    assert sample.mean == pytest.approx(0.83)
    assert sample.sd == pytest.approx((0.0026 / 2) ** 0.5)
    assert sample.interval is not None
    half = 4.30265 * (0.0026 / 2) ** 0.5 / 3**0.5  # t of 2 degrees of freedom, from a table
    assert sample.interval == pytest.approx((0.83 - half, 0.83 + half), abs=1e-6)


def test_the_interval_is_scipys() -> None:
    values = (1.2, 3.4, 2.2, 2.9)
    expected = stats.t.interval(0.95, 3, loc=Sample(values).mean, scale=stats.sem(values))
    assert Sample(values).interval == pytest.approx(expected)


@pytest.mark.parametrize(("values", "has_sd"), [((0.5,), False), ((0.5, 0.6), True)])
def test_few_values_have_no_interval_and_one_no_sd(values: tuple[float, ...], has_sd: bool) -> None:
    assert (Sample(values).sd is not None) == has_sd
    assert Sample(values).interval is None


def test_the_sampling_sd_of_the_reference() -> None:
    assert sampling_sd(0.92, 10_000) == pytest.approx(0.0027, abs=5e-5)
    assert sampling_sd(1.0, 360) == 0


def test_runs_are_grouped_that_differ_in_the_seed_alone() -> None:
    runs = trio(seeds=3)
    assert groups_of(runs) == [["teacher"], ["vit", "vit-s43", "vit-s44"], ["deit", "deit-s43", "deit-s44"]]
    runs["vit-s43"] = changed(runs["vit-s43"], {"optim.lr": 1e-3})
    runs["deit-s44"] = changed(runs["deit-s44"], {"tags": ["a"], "notes": "b"})
    assert groups_of(runs) == [
        *(["teacher"], ["vit", "vit-s44"], ["deit", "deit-s43", "deit-s44"]),
        ["vit-s43"],
    ]


def test_a_run_that_was_trained_again_is_no_further_seed() -> None:
    runs = trio()
    runs["again"] = runs["vit"]
    assert groups_of(runs) == [["teacher"], ["vit"], ["deit"], ["again"]]


def test_runs_that_start_from_alike_runs_are_alike() -> None:
    smoke = presets.smoke()
    runs = {f"base{seed}": changed(smoke, {"seed": seed}) for seed in (1, 2)}
    runs |= {f"fine{seed}": changed(smoke, {"seed": seed, "initial_checkpoint": f"base{seed}"}) for seed in (1, 2)}
    assert groups_of(runs) == [["base1", "base2"], ["fine1", "fine2"]]
    runs["base2"] = changed(runs["base2"], {"optim.epochs": 3})
    assert groups_of(runs) == [["base1"], ["base2"], ["fine1"], ["fine2"]]


def test_a_deit_is_paired_with_its_vit_seed_by_seed() -> None:
    runs = trio(seeds=2)
    groups = groups_of(runs)
    (pairing,) = distillation_pairings(groups, runs)
    assert (groups[pairing.plain][0], groups[pairing.distilled][0]) == ("vit", "deit")
    assert pairing.pairs == (("vit", "deit"), ("vit-s43", "deit-s43"))
    del runs["vit-s43"]
    (pairing,) = distillation_pairings(groups_of(runs), runs)
    assert pairing.pairs == (("vit", "deit"),)


def test_only_what_is_equal_in_all_but_the_distillation_is_paired() -> None:
    runs = trio()
    runs["soft"] = changed(runs["deit"], {"distillation.kind": "soft"})
    runs["long"] = changed(runs["vit"], {"optim.epochs": 40})
    runs["long deit"] = changed(runs["deit"], {"optim.epochs": 40})
    pairings = distillation_pairings(groups_of(runs), runs)
    assert [pairing.pairs for pairing in pairings] == [
        *((("vit", "deit"),), (("vit", "soft"),)),
        (("long", "long deit"),),
    ]
    assert distillation_pairings([["vit"], ["deit"]], trio(**{"deit.seed": 7})) == []


def test_students_of_the_same_start_are_paired() -> None:
    runs = trio()
    base = changed(runs["vit"], {"optim.epochs": 5})
    runs = {"a": base, "b": base} | {
        name: changed(runs[name], {"initial_checkpoint": start}) for name, start in (("vit", "a"), ("deit", "b"))
    }
    assert [one.pairs for one in distillation_pairings([["vit"], ["deit"]], runs)] == [(("vit", "deit"),)]
    runs["b"] = changed(base, {"seed": 7})
    assert distillation_pairings([["vit"], ["deit"]], runs) == []


def test_runs_of_teachers_that_differ_in_the_seed_alone_are_one_group() -> None:
    """As five experiments have them, each with another seed for all of its runs."""
    runs = {}
    for seed in (42, 43, 44):
        teacher, vit, deit = trio(seed=seed).values()
        runs |= {f"{run.name}{seed}": run for run in (teacher, vit)}
        runs[f"deit{seed}"] = changed(deit, {"distillation.teacher": f"teacher{seed}"})
    groups = [[f"{name}{seed}" for seed in (42, 43, 44)] for name in ("teacher", "vit", "deit")]
    assert groups_of(runs) == groups
    (pairing,) = distillation_pairings(groups, runs)
    assert pairing.pairs == (("vit42", "deit42"), ("vit43", "deit43"), ("vit44", "deit44"))
    runs["teacher44"] = changed(runs["teacher44"], {"optim.lr": 1e-3})
    assert [group for group in groups_of(runs) if "deit" in group[0]] == [["deit42", "deit43"], ["deit44"]]


def test_best_against_best_is_chosen_by_validation_among_equals() -> None:
    runs = trio(seeds=2)
    for name in ("vit", "vit-s43"):
        runs[f"{name}-fast"] = changed(runs[name], {"optim.lr": 4e-3})
        runs[f"{name}-long"] = changed(runs[name], {"optim.epochs": 100})
    groups = groups_of(runs)
    names = [["vit-fast", "vit-s43-fast"], ["deit", "deit-s43"]]
    plain, distilled = (groups.index(group) for group in names)
    validation = dict.fromkeys(runs, 0.8) | {"vit-s43-fast": 0.82, "vit-long": 0.99, "vit-s43-long": 0.99}
    (best,) = best_pairings(groups, runs, validation)
    assert (best.plain, best.distilled) == (plain, distilled)
    assert best.pairs == (("vit-fast", "deit"), ("vit-s43-fast", "deit-s43"))
    del validation["vit-fast"]
    assert best_pairings(groups, runs, validation) == []  # one of each kind is left


def test_few_labels_are_paired_where_both_make_as_many_steps() -> None:
    few: dict[str, Any] = {"data.labelled_fraction": 0.05, "deit.optim.epochs": 10, "deit.optim.warmup_epochs": 1}
    runs = trio(**few, **{"vit.optim.epochs": 200, "vit.optim.warmup_epochs": 20})
    assert len(distillation_pairings(groups_of(runs), runs)) == 1
    assert distillation_pairings(groups_of(few_epochs := trio(**few)), few_epochs) == []
