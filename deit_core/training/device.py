"""The device of a run, its compute plan, and moving models to the device."""

import platform
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from deit_core.errors import SpecError
from deit_core.spec import ComputeSpec
from deit_core.training.ranks import Ranks

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Plan:
    """How the steps of a run are computed. Changes their speed, and their results only by rounding.

    precision: "bfloat16" is autocast: products in it, sums and weights in float32.
    channels_last: the memory layout of convolutions; else (B, C, height, width) as written.
    compiled: by torch.compile, with CUDA graphs on a GPU.
    recorded: the whole step is recorded once as a CUDA graph, and then repeated with one launch; only on a GPU.
    """

    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = True
    compiled: bool = False
    recorded: bool = False

    def __str__(self) -> str:
        layout = "channels last" if self.channels_last else "channels first"
        manner = "compiled" if self.compiled else "recorded" if self.recorded else "eager"
        return f"{self.precision}, {layout}, {manner}"


def plain_plan(spec: ComputeSpec) -> Plan:
    """The plan of a spec without any trial."""
    return Plan("bfloat16" if spec.precision == "bfloat16" else "float32")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; known of GPUs and x86 processors, and assumed of others."""
    processor = torch.cpu.get_capabilities()
    if device.type != "cpu" or processor["architecture"] != "x86_64":
        return True
    return bool(processor["avx512_bf16"] or processor["amx_bf16"])


def choose_device(spec: ComputeSpec, auto: str | None = None) -> torch.device:
    """The device of a run: the spec's, or for "auto" the first GPU, or the CPU.

    Args: auto: the device for "auto", and for a spec that only names its kind ("cuda:1" for "cuda").

    Raises: SpecError when the spec asks for a device that this machine lacks.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if auto and spec.device in ("auto", torch.device(auto).type):
        return torch.device(auto)
    if spec.device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if present[name]))
    if not present[spec.device]:
        raise SpecError(f"This machine has no {spec.device} device; set compute.device to auto.")
    return torch.device(spec.device)


def device_of_rank(device: torch.device, ranks: Ranks) -> torch.device:
    """The device of a rank: of GPUs the next ones after those of runs before it, each on one; else the device.

    Args: device: of the run; the number of its GPU is the place of its worker among the workers of the machine.
    """
    if ranks.is_alone or device.type != "cuda":
        return device
    return torch.device("cuda", ((device.index or 0) * ranks.world + ranks.rank) % torch.cuda.device_count())


def with_shared_norms(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with batch norms that learn from the images of all ranks. Those that are frozen stay.

    Raises: SpecError where it has some and the device is no GPU: PyTorch has them for GPUs only.
    """
    learning = learns_norms(model)
    if learning and device.type != "cuda":
        raise SpecError(
            "A model with batch norm, such as a CNN, cannot be computed on several CPU devices, since PyTorch shares "
            "batch norm between GPUs only; set compute.devices of this run to 1."
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(model) if learning else model


def learns_norms(model: nn.Module) -> bool:
    """Whether a model has batch norms that learn from the images of a step; sets it to training."""
    model.train()
    return any(isinstance(one, nn.modules.batchnorm._BatchNorm) and one.training for one in model.modules())


def place(model: Model, device: torch.device, *, channels_last: bool = True) -> Model:
    """Move a model to a device, with its convolutions in the requested memory layout."""
    model.to(device)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    return model


def seed_device(device: torch.device, seed: int) -> None:
    """Seed what models on this device draw.

    torch.manual_seed looks for every kind of device there is, which takes over a millisecond for each step.
    """
    torch.default_generator.manual_seed(seed)
    match device.type:
        case "cuda":
            torch.cuda.manual_seed_all(seed)
        case "mps":
            torch.mps.manual_seed(seed)


def name_gpu(device: torch.device) -> dict[str, str]:
    """{"gpu": its name}, where the device is one."""
    match device.type:
        case "cuda":
            return {"gpu": torch.cuda.get_device_name(device)}
        case "mps":
            return {"gpu": "Apple's, by MPS"}
    return {}


def machine_facts(device: torch.device) -> dict[str, Any]:
    """Facts that the rounding of a result depends on, besides its input."""
    facts = {"torch": torch.__version__, "matmul": torch.get_float32_matmul_precision(), "device": device.type}
    if device.type == "cuda":
        return facts | {"name": torch.cuda.get_device_name(device)}
    return facts | {
        "name": platform.machine(),
        "num_threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        **torch.cpu.get_capabilities(),
    }
