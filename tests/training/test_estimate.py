"""Estimates before the training: large models are measured in part, and what is not there is said at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deit_core import presets
from deit_core.data import load_data
from deit_core.errors import DataError, SpecError
from deit_core.image_folders.facts import facts_of
from deit_core.models import ResNet9
from deit_core.spec import ExperimentSpec, RunSpec, members, replace
from deit_core.training import estimate

FOLDER_PRESETS = [name for name in presets.names() if members(presets.get(name))[0].data.source == "folder"]


def one_second(call: Callable[[], float]) -> float:
    """Stands for `seconds_per_call`, and calls once."""
    call()
    return 1.0


@pytest.mark.parametrize("budget_s", [60.0, 0.0], ids=["whole batch", "two images"])
def test_a_part_of_a_batch_is_counted_up(
    budget_s: float, tiny_trio: ExperimentSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "BATCH_S", budget_s)
    spec = replace(tiny_trio, {"optim.batch_size": 64, "distillation.stored_logits": "off"})
    teacher, vit, deit = members(spec)
    facts = facts_of(vit.data, tmp_path)
    alone, taught = (
        estimate.estimate_duration(run, its, tmp_path, 1, facts, measure=one_second)
        for run, its in ((vit, None), (deit, teacher))
    )
    steps, num_looked_at = 2 * (1149 // 64), 3 * 287.4 + 360  # validation once more, for the predictions
    num_measured = 64 if budget_s else 2
    assert alone == pytest.approx(steps * 64 / num_measured + num_looked_at / num_measured)
    assert taught - alone == pytest.approx(steps * 64 / num_measured)
    assert bool(list(tmp_path.iterdir())) == bool(budget_s)  # what a part shows is remembered for no run


def test_of_a_call_that_takes_seconds_one_is_enough() -> None:
    clock, calls = [0.0], []

    def call() -> float:
        calls.append(1)
        clock[0] += seconds
        return 0.0

    for seconds, most in ((5.0, 1), (1.5, 3), (0.3, 6), (0.01, 103)):
        calls.clear()
        assert estimate.seconds_per_call(call, clock=lambda: clock[0]) == pytest.approx(seconds)
        assert len(calls) <= most


@pytest.mark.parametrize("name", FOLDER_PRESETS)
def test_a_folder_that_is_not_there_is_said_before_a_model_is_built(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "build_model", ResNet9)  # which would raise another error
    with pytest.raises(DataError, match=r"There is no folder .*; set data\.path to a folder of images"):
        estimate.estimate_durations(presets.get(name), tmp_path, 1, tmp_path)


def test_too_few_images_are_told_as_the_run_would(tiny: RunSpec, tmp_path: Path) -> None:
    few = replace(tiny, {"data.fraction": 0.0005})
    sentence = r"data\.fraction 0\.0005 .* leaves too few images of a class .*; make data\.fraction larger"
    with pytest.raises(SpecError, match=sentence):
        load_data(few.data, tmp_path)
    with pytest.raises(SpecError, match=sentence):
        estimate.estimate_durations(few, tmp_path, 1)


def test_a_run_counts_once_a_seed_and_its_teacher_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "estimate_duration", lambda run, *_: float(run.optim.epochs))
    spec = replace(presets.digits_quick(), {"seeds": 3})
    assert estimate.estimate_durations(spec, tmp_path, 1) == {"teacher": 8.0, "vit": 60.0, "deit": 60.0}
