"""Which device it is."""

import platform
from collections.abc import Iterator

import torch

from benchmarks.gpu.parts import Row
from benchmarks.gpu.setting import Setting


def measure(setting: Setting) -> Iterator[Row]:
    """Its name, memory and the versions of what drives it. Raises: RuntimeError where the device is not there."""
    row: Row = {"python": platform.python_version(), "torch": torch.__version__, "source": setting.source}
    if setting.device.type == "cuda":
        facts = torch.cuda.get_device_properties(setting.device)
        row |= {
            "name": facts.name,
            "memory_gb": round(facts.total_memory / 1e9, 1),
            "multiprocessors": facts.multi_processor_count,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    torch.zeros(1, device=setting.device)
    yield row
