"""Where and on what the parts measure."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from deit_core import presets
from deit_core.data import ImageData, is_here, load_data
from deit_core.spec import ExperimentSpec, RunSpec, replace

_TINY = {"data.fraction": 0.2, "data.img_size": 16, "optim.batch_size": 16}
_TINY_VIT = {"model.depth": 1, "model.embed_dim": 16, "model.num_heads": 2}
_TINY_TEACHER = {"model.width": 4}


@dataclass(frozen=True)
class Setting:
    """device: "cuda", or "cpu" for a try of the script: there every size is tiny, and times mean nothing.

    data_dir: the folder with Fashion-MNIST's files; without them the digits are used.
    folder: for files that a part needs while it runs.
    """

    device_name: str
    data_dir: Path
    folder: Path

    @property
    def device(self) -> torch.device:
        return torch.device(self.device_name)

    @property
    def is_tiny(self) -> bool:
        return self.device_name == "cpu"

    @property
    def source(self) -> str:
        return "fashion-mnist" if is_here("fashion-mnist", self.data_dir) and not self.is_tiny else "digits"

    @property
    def window_s(self) -> float:
        """How long a loop runs each time that it is measured."""
        return 0.01 if self.is_tiny else 0.15

    def miniproject(self) -> dict[str, RunSpec]:
        """The runs of the mini-project by name: teacher, vit, deit; and deit-soft."""
        runs = {run.name: run for run in self.experiment("fashion-miniproject")}
        soft = {"distillation.kind": "soft", "distillation.alpha": 0.9, "distillation.tau": 3.0}
        return runs | {"deit-soft": replace(runs["deit"], soft)}

    def on_data(self, run: RunSpec) -> RunSpec:
        """A run of the mini-project on the data that is here."""
        if self.source == "digits":
            run = replace(run, {"data.source": "digits", "augment.horizontal_flip": False})
        if self.is_tiny:
            run = replace(run, _TINY | (_TINY_VIT if run.model.family == "vit" else _TINY_TEACHER))
        return run

    def data(self, run: RunSpec) -> ImageData:
        return _load(run.data.model_dump_json(), self.data_dir)

    def experiment(self, preset: str) -> list[RunSpec]:
        experiment = presets.get(preset)
        assert isinstance(experiment, ExperimentSpec)
        return [self.on_data(run) for run in experiment.runs]


@cache
def _load(spec: str, data_dir: Path) -> ImageData:
    from deit_core.spec import DataSpec

    return load_data(DataSpec.model_validate_json(spec), data_dir)


def wait(device: torch.device) -> None:
    """Wait for all that the device was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(call: Callable[[], object], device: torch.device, window_s: float) -> float:
    """Seconds of one call, from as many calls as fill the window, after one to warm up."""
    call()
    wait(device)
    began = time.perf_counter()
    call()
    wait(device)
    count = max(1, round(window_s / (time.perf_counter() - began)))
    began = time.perf_counter()
    for _ in range(count):
        call()
    wait(device)
    return (time.perf_counter() - began) / count
