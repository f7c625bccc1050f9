"""The table of metrics has what is measured, all of it and nothing else."""

import ast
import re
from pathlib import Path

import pytest

from deit_core.metrics import BEST_EPOCH_BY, METRICS, TEST_ACCURACIES, TOKEN_COSINES, is_better
from deit_core.runs import open_store
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, replace

ROOT = Path(__file__).parents[1]


def test_every_metric_that_runs_measure_is_in_the_table_and_no_other(
    settings: Settings, tiny_trio: ExperimentSpec
) -> None:
    spec = replace(tiny_trio, {"optim.epochs": 1, "optim.ema": "beside", "deit.distillation.trained_fusion": True})
    store = open_store(settings.store_url)
    runs, mistake = train_here(store, settings, spec, lambda *_: None)
    assert mistake is None
    points = [point for run in runs for point in store.points(run.id)]
    measured = {name for run in runs for name in run.results} | {name for point in points for name in point.metrics}
    # No preset on digits scores mirrored images, and to score them is to score with another end of the name.
    plain = {
        name for name in measured if re.fullmatch(r"test_(loss|accuracy)(_class|_distillation|_mean_softmax)?", name)
    }
    deeper = {TOKEN_COSINES[block].name for block in TOKEN_COSINES if block > spec.runs[-1].model.depth}
    assert measured | {f"{name}_flip" for name in plain} | deeper == METRICS.keys()
    assert not measured & deeper


def test_every_name_in_the_code_is_in_the_table() -> None:
    names = re.compile(r"(train|val|test|best_val)_(loss|accuracy|agreement)\w*")
    strings = {
        (node.value, file.name)
        for room in ("deit_core", "dashboard")
        for file in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and names.fullmatch(node.value)
    }
    assert len(strings) > 20
    assert [(name, file) for name, file in sorted(strings) if name not in METRICS] == []


def test_titles_tell_metrics_apart() -> None:
    titles = [metric.title for metric in METRICS.values()]
    headings = [METRICS[name].heading for name in TEST_ACCURACIES]
    assert len(set(titles)) == len(titles)
    assert len(set(headings)) == len(headings)
    assert all(metric.help.endswith(".") for metric in METRICS.values())


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0.9, 0.5), (0.8, 0.1), True),
        ((0.8, 0.1), (0.9, 0.5), False),
        ((0.9, 0.4), (0.9, 0.5), True),
        ((0.9, 0.5), (0.9, 0.4), False),
        ((0.9, 0.5), (0.9, 0.5), False),
    ],
)
def test_the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss(
    first: tuple[float, float], second: tuple[float, float], expected: bool
) -> None:
    both = (dict(zip(BEST_EPOCH_BY, values, strict=True)) for values in (first, second))
    assert is_better(*both, BEST_EPOCH_BY) == expected


def test_no_learning_rate_is_better_than_another() -> None:
    with pytest.raises(AssertionError, match="lr"):
        METRICS["lr"].rank(0.1)
