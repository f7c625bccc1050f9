"""What the device can do at most: products of large matrices, and copies in its memory."""

from collections.abc import Iterator

import torch

from benchmarks.gpu.parts import Row
from benchmarks.gpu.setting import Setting, seconds_of


def measure(setting: Setting) -> Iterator[Row]:
    """TFLOP/s of products, GB/s of a copy (read and written), and microseconds of an empty launch."""
    for dtype in (torch.bfloat16, torch.float32):
        yield {
            "product": str(dtype).removeprefix("torch."),
            "tflops": float(f"{product_rate(setting, dtype) / 1e12:.4g}"),
        }
    yield {"copy_gb_per_s": round(copy_rate(setting) / 1e9, 1)}
    one = torch.zeros(1, device=setting.device)
    yield {"launch_us": round(1e6 * seconds_of(lambda: one.add_(1), setting.device, setting.window_s), 2)}


def product_rate(setting: Setting, dtype: torch.dtype) -> float:
    """Operations per second in a product of two large matrices."""
    size = 256 if setting.is_tiny else 8192
    left, right = (torch.randn(size, size, device=setting.device).to(dtype) for _ in range(2))
    return 2 * size**3 / seconds_of(lambda: left @ right, setting.device, setting.window_s)


def copy_rate(setting: Setting) -> float:
    """Bytes per second, read and written, in a large copy."""
    count = 2**20 if setting.is_tiny else 2**30
    source = torch.empty(count, dtype=torch.uint8, device=setting.device)
    target = torch.empty_like(source)
    return 2 * count / seconds_of(lambda: target.copy_(source), setting.device, setting.window_s)
