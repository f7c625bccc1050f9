"""Whole presets as a user has them: from the command to the end of the last run, in a fresh runs folder.

Tells where the wall time goes. A run's start is what lies between its claim and its first step: importing torch in the
first run of a process, data, model, and the choice of how to train. An epoch's end is validation and saving.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from deit_core.runs import Curves, Point, Run, open_store

_PRESETS = ("digits-quick",)
_PRESETS_LONG = ("digits-quick", "fashion-classroom")


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """Seconds of each run and what they went to, images/s while it trains, and its accuracy on test."""
    for preset in _PRESETS_LONG if long else _PRESETS:
        with tempfile.TemporaryDirectory() as folder:
            began = time.time()
            _train(preset, folder)
            ended = time.time()
            store = open_store(f"sqlite:///{folder}/runs.sqlite")
            runs = store.runs()[::-1]
            curves = Curves(store)
            times = [_times(run, curves.of(run)) for run in runs]
            store.close()
        for run, spent in zip(runs, times, strict=True):
            yield {
                "preset": preset,
                "run": run.name,
                "wall_s": round(sum(spent.values()), 2),
                "images_per_s": round(run.step * run.spec.optim.batch_size / spent["steps_s"]),
                "test_accuracy": round(run.results["test_accuracy"], 4),
                **{name: round(value, 2) for name, value in spent.items()},
            }
        total = {name: sum(spent[name] for spent in times) for name in times[0]}
        yield {
            "preset": preset,
            "run": "all",
            "wall_s": round(ended - began, 2),
            **{name: round(value, 2) for name, value in total.items()},
            "around_runs_s": round(ended - began - sum(total.values()), 2),
            "not_steps": round(1 - total["steps_s"] / (ended - began), 3),
        }


def _train(preset: str, runs_dir: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "DEIT_"))}
    if data_dir := os.environ.get("DEIT_DATA_DIR"):
        environment["DEIT_DATA_DIR"] = data_dir
    subprocess.run(
        [sys.executable, "-m", "deit_core", "train", preset, "--runs-dir", runs_dir],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        check=True,
    )


def _times(run: Run, points: list[Point]) -> dict[str, float]:
    """Seconds from a run's claim to its end, by what was done."""
    assert run.started_at is not None
    assert run.finished_at is not None
    steps_s, done = 0.0, 0
    for point in points:
        if point.kind == "step":
            steps_s += (point.step - done) * run.spec.optim.batch_size / point.metrics["images_per_s"]
            done = point.step
    epoch_ends_s = sum(
        point.elapsed_s - before.elapsed_s for before, point in pairwise(points) if point.kind == "epoch"
    )
    train_s = run.results["train_time_s"]
    test_s = train_s - points[-1].elapsed_s
    start_s = run.finished_at - run.started_at - train_s
    return {
        "start_s": start_s,
        "steps_s": steps_s,
        "epoch_ends_s": epoch_ends_s,
        "test_s": test_s,
        "rest_s": train_s - steps_s - epoch_ends_s - test_s,
    }
