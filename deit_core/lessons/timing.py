"""How long attention takes on this machine, by the number of tokens."""

import statistics
import time
from collections.abc import Iterator, Sequence

import torch

from deit_core.models.block import Attention

_REPEATS = 5
_WIDTH, _HEADS = 64, 4


@torch.inference_mode()
def measured_seconds(token_counts: Sequence[int]) -> Iterator[tuple[int, float]]:
    """Measure attention between so many tokens: the number of tokens, and the median seconds of a pass.

    It is the attention of one block of width 64 with four heads, its weights written out, for one image.
    """
    attention = Attention(_WIDTH, _HEADS, qkv_bias=True, attn_drop=0.0, proj_drop=0.0).eval()
    for count in token_counts:
        tokens = torch.randn(1, count, _WIDTH)
        attention(tokens, return_attention=True)  # the first pass takes memory
        times = []
        for _ in range(_REPEATS):
            start = time.perf_counter()
            attention(tokens, return_attention=True)
            times.append(time.perf_counter() - start)
        yield count, statistics.median(times)
