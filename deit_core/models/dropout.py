"""Dropout whose random masks a CPU draws several times as fast as torch's own: one random word for four numbers.

Knows one tensor; not its place in a model.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEVELS = 2**16  # of a 16-bit number, so rates are met to 1 in 131,072
_PER_WORD = 4  # 16-bit numbers in one 64-bit word, of which torch's generator makes one at a time


class Dropout(nn.Module):
    """In training sets each number to 0 with probability `p` and scales the others by 1 / (1 - p).

    On a CPU torch draws such masks with one call of its generator per number, on one thread: half of the step time of
    the mini-project's ViT. On other devices this is torch's own dropout.

    Args:
        p: 0 <= p < 1, here to the nearest 1/65,536; the other numbers are scaled by exactly that.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self._num_dropped = min(round(p * _LEVELS), _LEVELS - 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self._num_dropped == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        return x * self._mask(x)

    def _mask(self, x: Tensor) -> Tensor:
        """0 and 1 / (1 - p), in the shape and precision of x."""
        words = torch.empty(-(-x.numel() // _PER_WORD), dtype=torch.int64).random_(-(2**63), None)
        numbers = words.view(torch.int16)[: x.numel()].view(x.shape)
        mask = torch.empty(x.shape, dtype=x.dtype)
        torch.ge(numbers, self._num_dropped - _LEVELS // 2, out=mask)
        return mask.mul_(_LEVELS / (_LEVELS - self._num_dropped))
