"""What the lessons claim, over three seeds, with real training: only with LESSONS=1 (`make test-lessons`)."""

import os
from pathlib import Path
from statistics import fmean

import pytest

from deit_core.events import RunFinished
from deit_core.metrics import TEST_ACCURACY
from deit_core.presets.lessons import FEW_IMAGES_LEAD, SKIPS_LEAD, lesson_fractions, lesson_skips
from deit_core.spec import RunSpec
from deit_core.training import train

pytestmark = pytest.mark.skipif(os.environ.get("LESSONS") != "1", reason="trains for minutes: make test-lessons")

SEEDS = (42, 43, 44)


def mean_lead(first: RunSpec, second: RunSpec, folder: Path) -> float:
    """How far the first is ahead in test accuracy, the mean over the seeds."""
    return fmean(accuracy(first, seed, folder) - accuracy(second, seed, folder) for seed in SEEDS)


def accuracy(run: RunSpec, seed: int, folder: Path) -> float:
    spec = run.with_changes(seed=seed)
    *_, last = train(spec, run_dir=folder / f"{run.name}-{seed}", data_dir=folder / "data", num_threads=1)
    assert isinstance(last, RunFinished)
    return last.metrics[TEST_ACCURACY]


def test_the_cnn_is_ahead_with_few_images(tmp_path: Path) -> None:
    runs = {run.name: run for run in lesson_fractions().runs}
    assert mean_lead(runs["cnn-10pct"], runs["vit-10pct"], tmp_path) > FEW_IMAGES_LEAD


def test_skip_connections_pay(tmp_path: Path) -> None:
    with_skips, without = lesson_skips().runs
    assert mean_lead(with_skips, without, tmp_path) > SKIPS_LEAD
