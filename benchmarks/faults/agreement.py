"""Whether a disturbed run ended as its undisturbed twin: its row, its points and its weights.

Times and images/s differ from one training to the next and are not compared. Knows stores and folders of runs; nothing
of how a run was disturbed.
"""

from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from deit_core.layout import RunFiles, run_folder
from deit_core.metrics import TRAIN_LOSS, TRAIN_TIME_S
from deit_core.models import read_card
from deit_core.runs import Curves, Point, Store


@dataclass(frozen=True)
class Outcome:
    """What is left of a run. `weights` are hashes of tensors, and metrics, by file; of predictions the hash alone."""

    row: dict[str, Any]
    epochs: list[tuple[int, float, dict[str, float]]]
    weights: dict[str, Any]
    flaws: list[str]


def outcome(store: Store, run_id: str, runs_dir: Path) -> Outcome:
    run, folder = store.run(run_id), run_folder(runs_dir, run_id)
    points = Curves(store).of(run)
    results = {name: value for name, value in run.results.items() if name != TRAIN_TIME_S}
    row = {"status": run.status, "message": run.message, "step": run.step, "total_steps": run.total_steps}
    return Outcome(
        row=row | {"epoch": run.epoch, "results": results},
        epochs=[(point.step, point.epoch, point.metrics) for point in points if point.kind == "epoch"],
        weights={str(file.relative_to(folder)): _content(file) for file in sorted(folder.rglob("*.safetensors"))},
        flaws=flaws(points),
    )


def differences(one: Outcome, twin: Outcome) -> list[str]:
    """Sentences on what is not equal."""
    found = list(one.flaws)
    for name in ("row", "epochs", "weights"):
        mine, theirs = getattr(one, name), getattr(twin, name)
        if mine != theirs:
            found.append(f"{name}: {mine} instead of {theirs}")
    return found


def flaws(points: list[Point]) -> list[str]:
    """Gaps and doubles among the points of a run.

    Each point of steps is a mean over the steps since the one before, so together they give the mean of their epoch.
    """
    steps = [point for point in points if point.kind == "step"]
    found = [f"step {two.step} after step {one.step}" for one, two in pairwise(steps) if two.step <= one.step]
    begin = 0
    for epoch in (point for point in points if point.kind == "epoch"):
        inside = [point for point in steps if begin < point.step <= epoch.step]
        sizes = [two - one for one, two in pairwise([begin, *(point.step for point in inside)])]
        total = sum(size * point.metrics[TRAIN_LOSS] for size, point in zip(sizes, inside, strict=True))
        mean = total / max(1, sum(sizes))
        if sum(sizes) != epoch.step - begin or mean != pytest.approx(epoch.metrics[TRAIN_LOSS], rel=1e-5):
            found.append(f"the steps of epoch {epoch.epoch:g} have a mean loss of {mean} over {sum(sizes)} steps")
        begin = epoch.step
    return found


def _content(file: Path) -> tuple[str, dict[str, float]]:
    digest = sha256()
    with safe_open(file, framework="np") as tensors:
        for name in tensors.keys():  # noqa: SIM118 it is no dictionary
            digest.update(name.encode())
            digest.update(tensors.get_tensor(name).tobytes())
    files = RunFiles(file.parent)
    return digest.hexdigest(), {} if file in (files.predictions, files.views) else read_card(file).metrics
