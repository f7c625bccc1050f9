"""What a search has tried: its fields, their values, and the order of its runs."""

from deit_core import presets
from deit_core.analysis import tried
from deit_core.spec import RunSpec, trainings, with_sweep


def swept(values: dict[str, object]) -> dict[str, RunSpec]:
    """The runs of a sweep by their ids, which are also the names of the teachers."""
    return {run.name: run for run in trainings(with_sweep(presets.digits_quick(), values))}


def test_fields_that_vary_and_runs_from_the_best_on() -> None:
    runs = swept({"optim.lr": [2e-3, 1e-3], "distillation.alpha": [0.5, 0.9]})
    accuracies = {name: 0.5 + number / 100 for number, name in enumerate(runs)}
    accuracies.pop("deit lr 0.001 alpha 0.5")  # not validated yet
    found = tried(list(runs), runs, accuracies)
    assert {axis.path: axis.values for axis in found.fields} == {
        "distillation.alpha": (0.5, 0.9),
        "optim.lr": (1e-3, 2e-3),
    }
    order = [axis.path for axis in found.fields]
    rows = [(one.run_id, dict(zip(order, one.values, strict=True))) for one in found.trials]
    assert rows == [
        ("deit lr 0.001 alpha 0.9", {"optim.lr": 1e-3, "distillation.alpha": 0.9}),
        ("vit lr 0.001", {"optim.lr": 1e-3, "distillation.alpha": None}),
        ("deit lr 0.002 alpha 0.9", {"optim.lr": 2e-3, "distillation.alpha": 0.9}),
        ("deit lr 0.002 alpha 0.5", {"optim.lr": 2e-3, "distillation.alpha": 0.5}),
        ("vit lr 0.002", {"optim.lr": 2e-3, "distillation.alpha": None}),
    ]


def test_a_teacher_that_follows_from_a_field_is_none() -> None:
    runs = swept({"data.fraction": [0.5, 1]})
    assert [axis.path for axis in tried(list(runs), runs, dict.fromkeys(runs, 0.5)).fields] == ["data.fraction"]
    runs = swept({"teacher.seed": [1, 2]})
    (axis,) = tried(list(runs), runs, dict.fromkeys(runs, 0.5)).fields
    assert axis.values == ("teacher seed 1", "teacher seed 2")
