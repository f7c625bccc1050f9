"""Table 3 of the paper beside an experiment's own: which run fills which row."""

import pytest

from deit_core import presets
from deit_core.analysis import PAPERS_TABLE_2, table_3
from deit_core.spec import ExperimentSpec, replace, trainings

SCORES = {
    "test_accuracy": 0.8,
    "test_accuracy_class": 0.78,
    "test_accuracy_distillation": 0.79,
    "test_accuracy_mean_softmax": 0.81,
    "test_accuracy_concat_embeddings": 0.82,
    "test_accuracy_sum_embeddings": 0.83,
}


def preset(seeds: int = 1) -> ExperimentSpec:
    return replace(presets.get("table-3"), {"seeds": seeds})  # type: ignore[return-value]


def results(spec: ExperimentSpec) -> dict[str, dict[str, float]]:
    """By name; the three ways without a token have one head."""
    alone = {"vit": 0.70, "soft": 0.72, "hard": 0.74}
    return {
        run.name: {"test_accuracy": alone[run.name]} if run.name in alone else dict(SCORES)
        for run in trainings(spec)
        if run.name != "teacher"
    }


def test_each_way_has_its_row_and_the_papers_numbers() -> None:
    runs = {run.name: run for run in preset().runs}
    found = results(preset())
    rows = table_3(list(found), runs, found)
    assert [row.sample and row.sample.mean for row in rows] == [0.70, 0.72, 0.74, 0.78, 0.79, 0.8, 0.81, 0.82, 0.83]
    assert [row.paper[0] for row in rows if row.paper] == [72.2, 72.2, 74.3, 73.9, 74.6, 74.5]
    assert rows[5].paper == (74.5, 81.2, 83.4, 84.5)
    assert [row.paper for row in rows[6:]] == [(), (), ()]


def test_seeds_have_mean_and_spread() -> None:
    spec = preset(seeds=2)
    runs = {run.name: run for run in trainings(spec)}
    found = {name: {"test_accuracy": 0.7 + (0.02 if name.endswith("s43") else 0)} for name in runs if name != "teacher"}
    rows = table_3(list(found), runs, found)
    assert rows[0].sample is not None
    assert rows[0].sample.mean == pytest.approx(0.71)
    assert rows[0].sample.sd == pytest.approx(0.02 / 2**0.5)
    assert rows[3].sample is None  # a row of the paper that nothing here has
    assert len(rows) == 6  # late fusion was not evaluated


@pytest.mark.parametrize("missing", ["hard", "deit"])
def test_without_both_ways_there_is_no_table(missing: str) -> None:
    runs = {run.name: run for run in preset().runs}
    found = {name: scores for name, scores in results(preset()).items() if name != missing}
    assert table_3(list(found), runs, found) == []


def test_two_recipes_of_one_way_give_no_table() -> None:
    runs = {run.name: run for run in preset().runs}
    runs["longer"] = replace(runs["hard"], {"name": "longer", "optim.epochs": 99})
    found = results(preset()) | {"longer": {"test_accuracy": 0.9}}
    assert table_3(list(found), runs, found) == []


def test_the_papers_transformer_is_the_worst_teacher_though_not_the_least_accurate() -> None:
    transformer, *cnns = PAPERS_TABLE_2
    assert all(transformer.student < cnn.student for cnn in cnns)
    assert any(transformer.accuracy > cnn.accuracy for cnn in cnns)
