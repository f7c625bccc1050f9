"""A batch that is computed in parts gives the losses and weights of the whole batch, and needs less memory."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from whole_batch import TOLERANCE, numbers, without_dropout

from deit_core.catalog import SOURCES
from deit_core.events import RunStarted
from deit_core.layout import RunFiles
from deit_core.memory import memory_needed
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train

IN_PARTS = "compute.gradient_accumulation_steps"
OF_WEIGHTS = 1e-6  # between two weights after SGD; AdamW makes full steps of gradients that are nothing but rounding


def alike(spec: RunSpec, num_parts: int, folder: Path) -> None:
    """Train a run whole and in parts, and compare all that they say."""
    divided = replace(spec, {IN_PARTS: num_parts})
    for whole, parts in zip(numbers(spec, folder / "whole"), numbers(divided, folder / "parts"), strict=True):
        assert whole == pytest.approx(parts, rel=TOLERANCE, abs=1e-7)


def test_a_vit_of_mixed_images_learns_in_parts_what_it_learns_at_once(tiny: RunSpec, tmp_path: Path) -> None:
    mixed = {"augment.mixup_alpha": 0.8, "augment.mixup_prob": 0.5, "optim.ema": "separate"}
    sgd = {"optim.optimizer": "sgd", "optim.lr": 0.05, "optim.clip_grad": 1.0}
    alike(without_dropout(tiny, **mixed, **sgd, **{"optim.batch_size": 63}), 4, tmp_path)
    weights, others = (load_file(RunFiles(tmp_path / name).last) for name in ("whole", "parts"))
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=0, atol=OF_WEIGHTS)


def test_so_does_a_deit_that_has_a_label_for_half_of_its_images(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    teacher, _, deit = replace(tiny_trio, {"data.fraction": 0.3, "data.labelled_fraction": 0.5}).runs
    for _ in train(teacher, run_dir=tmp_path / teacher.name, num_threads=1):
        pass
    alike(without_dropout(deit), 3, tmp_path)


def test_a_run_has_no_more_parts_than_images(tiny: RunSpec, tmp_path: Path) -> None:
    spec = without_dropout(tiny, **{"optim.batch_size": 8, "data.fraction": 0.05, "optim.epochs": 1})
    alike(replace(spec, {"optim.warmup_epochs": 0}), 9, tmp_path)


@pytest.mark.parametrize(("member", "says_so"), [(0, True), (1, False)])
def test_a_run_with_batch_norm_says_what_differs(
    member: int, says_so: bool, tiny_trio: ExperimentSpec, tmp_path: Path
) -> None:
    spec = replace(tiny_trio.runs[member], {IN_PARTS: 2})
    started = next(iter(train(spec, run_dir=tmp_path, num_threads=1)))
    assert isinstance(started, RunStarted)
    assert ("Its batch norm takes the statistics of each of the 2 parts of a batch." in started.notes) == says_so


def test_parts_need_less_memory_for_a_step_and_nothing_else(tiny: RunSpec) -> None:
    facts = SOURCES["digits"]
    whole, parts = (memory_needed(replace(tiny, {IN_PARTS: number}), facts) for number in (1, 4))
    assert parts.weights + parts.images == whole.weights + whole.images
    assert 0.25 * whole.step < parts.step < 0.5 * whole.step
