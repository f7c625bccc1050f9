"""Whole trainings from nothing: data, probe, epochs, validation, files and the test."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu.parts import Row
from benchmarks.gpu.setting import Setting
from deit_core.events import RunFinished, RunStarted
from deit_core.spec import RunSpec, replace
from deit_core.training import train


def measure(setting: Setting) -> Iterator[Row]:
    """Seconds and test accuracy: the mini-project's teacher, ViT and DeiT of 10 epochs, then fashion-full's DeiT."""
    yield from _runs(setting, "mini-project", setting.experiment("fashion-miniproject"))
    if not setting.is_tiny:
        yield from _runs(setting, "fashion-full", setting.experiment("fashion-full"))


def _runs(setting: Setting, name: str, runs: list[RunSpec]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        began_all = time.perf_counter()
        for run in runs:
            if setting.is_tiny:
                run = replace(run, {"optim.epochs": 1, "optim.warmup_epochs": 0, "data.fraction": 0.1})
            if run.distillation is not None:
                run = replace(run, {"distillation.teacher": str(Path(folder) / "teacher")})
            began = time.perf_counter()
            plan, first_s, results, steps = "", 0.0, {}, 0
            events = train(run, run_dir=Path(folder) / run.name, data_dir=setting.data_dir, device=setting.device_name)
            for event in events:
                if isinstance(event, RunStarted):
                    plan, first_s, steps = event.plan, time.perf_counter() - began, event.total_steps
                if isinstance(event, RunFinished):
                    results = event.metrics
            yield {
                "experiment": name,
                "run": run.name,
                "seconds": round(time.perf_counter() - began, 2),
                "before_first_step_s": round(first_s, 2),
                "steps": steps,
                "plan": plan,
                "test_accuracy": round(results["test_accuracy"], 4),
            }
        yield {"experiment": name, "run": "all", "seconds": round(time.perf_counter() - began_all, 2)}
