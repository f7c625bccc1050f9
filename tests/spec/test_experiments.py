"""Experiments: what comes first in their list, and how seeds repeat their students."""

import json

import pytest

from deit_core import presets
from deit_core.errors import SpecError
from deit_core.spec import ExperimentSpec, RunSpec, listed_name, load_spec, replace, trainings


def experiment_of(*runs: RunSpec) -> dict[str, object]:
    return {"name": "x", "runs": [run.model_dump() for run in runs]}


def test_an_experiment_lists_teachers_first_and_splits_alike() -> None:
    teacher, vit, deit = presets.digits_quick().runs
    with pytest.raises(SpecError, match="list the teacher before"):
        load_spec(json.dumps(experiment_of(deit, teacher)))
    with pytest.raises(SpecError, match="own name"):
        load_spec(json.dumps(experiment_of(vit, vit)))
    other = replace(teacher, {"data.split_seed": 5})
    with pytest.raises(SpecError, match="split their data differently"):
        load_spec(json.dumps(experiment_of(other, deit)))


def test_an_experiment_lists_what_a_run_starts_from_first() -> None:
    first = presets.smoke()
    second = replace(first, {"name": "fine", "initial_checkpoint": first.name, "data.img_size": 24})
    assert load_spec(json.dumps(experiment_of(first, second))).start_of(second) == first  # type: ignore[union-attr]
    with pytest.raises(SpecError, match="list that run before it"):
        load_spec(json.dumps(experiment_of(second, first)))
    other = replace(first, {"data.split_seed": 5})
    with pytest.raises(SpecError, match="split their data differently"):
        load_spec(json.dumps(experiment_of(other, second)))


def test_an_old_experiment_has_one_seed() -> None:
    document = json.loads(presets.digits_quick().model_dump_json())
    del document["seeds"]
    assert load_spec(json.dumps(document)) == presets.digits_quick()


def test_one_seed_is_the_experiment_as_it_is_listed() -> None:
    for name in presets.names():
        spec = presets.get(name)
        assert trainings(spec) == (spec.runs if isinstance(spec, ExperimentSpec) else (spec,))


def test_students_are_repeated_with_the_next_seeds_and_share_one_teacher() -> None:
    spec = replace(presets.digits_quick(), {"seeds": 3, "vit.optim.lr": 1e-3})
    found = trainings(spec)
    assert [(run.name, run.seed) for run in found] == [
        *(("teacher", 42), ("vit", 42), ("deit", 42)),
        *(("vit-s43", 43), ("deit-s43", 43), ("vit-s44", 44), ("deit-s44", 44)),
    ]
    assert [run.optim.lr for run in found if listed_name(run) == "vit"] == [1e-3] * 3
    assert {run.distillation.teacher for run in found if run.distillation} == {"teacher"}
    again = [run.with_changes(name=listed_name(run), seed=42) for run in found]
    assert again == list(spec.runs[:1] + spec.runs[1:] * 3)  # type: ignore[union-attr]
    assert load_spec(spec.model_dump_json()) == spec


def test_a_repeated_run_starts_from_the_one_of_its_own_seed() -> None:
    first = presets.smoke()
    second = replace(first, {"name": "fine", "initial_checkpoint": first.name})
    spec = load_spec(json.dumps(experiment_of(first, second) | {"seeds": 2}))  # type: ignore[arg-type]
    found = [(run.name, run.initial_checkpoint) for run in trainings(spec)]
    assert found == [("smoke", ""), ("fine", "smoke"), ("smoke-s43", ""), ("fine-s43", "smoke-s43")]


def test_what_a_teacher_comes_from_is_trained_once_too() -> None:
    teacher, vit, deit = presets.digits_quick().runs
    base = teacher.with_changes(name="base")
    tuned = teacher.with_changes(initial_checkpoint="base")
    spec = load_spec(json.dumps(experiment_of(base, tuned, vit, deit) | {"seeds": 2}))
    assert [run.name for run in trainings(spec)] == ["base", "teacher", "vit", "deit", "vit-s43", "deit-s43"]
    alone = load_spec(json.dumps(experiment_of(teacher) | {"seeds": 2}))
    assert [run.name for run in trainings(alone)] == ["teacher", "teacher-s43"]  # it teaches nobody here


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 0}, "seeds should be greater than or equal to 1"),
        ({"seeds": 21}, "seeds should be less than or equal to 20"),
        ({"seeds": 2, "deit.name": "vit-s43"}, "two runs are called 'vit-s43'"),
        ({"seeds": 2, "vit.name": "v" * 78}, "give it a shorter name"),
        ({"seeds": 2, "vit.seed": 2**31 - 1}, "start with a smaller seed"),
        ({"vit.name": "seeds"}, "cannot be called 'seeds'"),
    ],
)
def test_seeds_that_do_not_fit_are_one_sentence(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        replace(presets.digits_quick(), changes)
    assert words in str(caught.value)
    with pytest.raises(SpecError, match="There is no field seeds"):
        replace(presets.smoke(), {"seeds": 2})
