"""How near a training step comes to what the device can do: compared with its own matrix products and nothing else.

The products of one step are recorded, with the very tensors they had, and made again one after the other. What they
take is the least that a step of this model can take in eager mode; the rest is dropout, norms, activations, copies, the
optimiser and Python. Knows this project's step alone.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from benchmarks.timing import medians
from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.models import build_model
from deit_core.training.device import choose_device, place
from deit_core.training.probe import SilentTeacher, choose_plan
from deit_core.training.step import TrainStep


class _Products(TorchDispatchMode):
    """Records every matrix product and convolution as a call that makes it again."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Callable[[], object]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket in flop_registry:
            self.calls.append(lambda: func(*args, **kwargs))
        return func(*args, **kwargs)

    @torch.no_grad()
    def again(self) -> None:
        for call in self.calls:
            call()


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """GFLOP/s of a step of each of the mini-project's runs, and of its products alone; `share` is their ratio."""
    experiment = presets.fashion_miniproject()
    for spec in experiment.runs:
        facts, device = SOURCES[spec.data.source], choose_device(spec.compute)
        labels = torch.arange(spec.optim.batch_size, device=device) % len(facts.classes)
        pixels = torch.rand(len(labels), facts.in_chans, spec.data.img_size, spec.data.img_size, device=device)
        steps_per_epoch = int(facts.num_train * (1 - spec.data.val_fraction)) // len(labels)
        teacher = SilentTeacher(labels, len(facts.classes)) if spec.distillation else None
        step = TrainStep(
            spec, place(build_model(spec), device).train(), teacher, lambda x: (x - 0.5) / 0.5, steps_per_epoch
        )
        with TemporaryDirectory() as plans:
            step.follow(choose_plan(step, pixels, labels, Path(plans), num_steps=1))
        with _Products() as products, FlopCounterMode(display=False) as counter:
            step(pixels, labels, 0)
        flops = counter.get_total_flops()
        seconds = medians(
            {"step": partial(step, pixels, labels, 0), "products": products.again},
            budget_s=20 if long else 5,
        )
        yield {
            "run": spec.name,
            "plan": str(step.plan),
            "gflop_per_image": round(flops / 1e9 / len(labels), 3),
            "images_per_s": round(len(labels) / seconds["step"]),
            "gflop_per_s": round(flops / 1e9 / seconds["step"]),
            "products_gflop_per_s": round(flops / 1e9 / seconds["products"]),
            "share": round(seconds["products"] / seconds["step"], 2),
        }
