"""Which device a run computes on, and putting models there."""

from typing import TypeVar

import torch
from torch import nn

from deit_core.errors import SpecError
from deit_core.spec import ComputeSpec

Model = TypeVar("Model", bound=nn.Module)


def choose_device(spec: ComputeSpec, auto: str | None = None) -> torch.device:
    """The device of a run: the spec's, or for "auto" the one given, or the first GPU, or the CPU.

    Raises: SpecError when the spec asks for a device that this machine lacks.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if spec.device == "auto":
        return torch.device(auto or next(name for name in ("cuda", "mps", "cpu") if present[name]))
    if not present[spec.device]:
        raise SpecError(f"This machine has no {spec.device} device; set compute.device to auto.")
    return torch.device(spec.device)


def place(model: Model, device: torch.device) -> Model:
    """Move a model to a device, its convolutions in the memory layout (channels last) that is faster everywhere."""
    model.to(device)
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model
