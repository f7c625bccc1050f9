"""The EMA (exponential moving average) of a model's weights. Knows a model and the number of its steps; no optimiser,
no data, no files.

Source: Polyak & Juditsky 1992; the warm-up is that of timm's ModelEmaV3.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from deit_core.spec import OptimSpec

_WARMUP_POWER = 2 / 3


def ema_decay(step: int, spec: OptimSpec) -> float:
    """The share that the average keeps of itself after step `step`, counted from 0. The first step is copied.

    With warm-up it grows as 1 - (1 + step) ** (-2/3) until `spec.ema_decay` is reached: 0.99996 would else keep mostly
    initial weights for tens of thousands of steps.
    """
    if step == 0:
        return 0.0
    return min(1 - (1 + step) ** -_WARMUP_POWER, spec.ema_decay) if spec.ema_warmup else spec.ema_decay


class ModelEma:
    """A copy of a model, in eval mode, whose weights and buffers are moving averages.

    torch's own AveragedModel counts its updates on the device, and so waits for a GPU at every step.
    """

    def __init__(self, model: nn.Module) -> None:
        self.module = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, decay: float | Tensor) -> None:
        """Update with the weights of `model` after a step. Integer buffers are copied.

        Args: decay: the share that the average keeps of itself; a scalar on the device where a recorded step reads it.
        """
        pairs = list(zip(self.module.state_dict().values(), model.state_dict().values(), strict=True))
        averages, values = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
        if isinstance(decay, Tensor):
            moves = torch._foreach_sub(values, averages)
            torch._foreach_mul_(moves, 1 - decay)
            torch._foreach_add_(averages, moves)
        else:
            torch._foreach_lerp_(averages, values, weight=1 - decay)
        for average, value in pairs:
            if not average.is_floating_point():
                average.copy_(value)
