"""Random attention of any shape, as if a model had returned it, and the options of a rollout, for hypothesis to draw.

Shapes: L layers, B batch, H heads, N tokens = P prefix + gh * gw patches.
"""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

from deit_core.attention import HEAD_FUSIONS, Rollout, rollout

TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13}
DISCARDS = [0.0, 0.1, 0.3, 0.5, 0.9, 0.99]

# derandomize: a random near-tie at a threshold would otherwise fail once in ten thousand runs, for nobody's benefit.
examples = settings(max_examples=40, deadline=None, derandomize=True, database=None)
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def softmax_attention(
    num_layers: int, batch: int, heads: int, tokens: int, *, seed: int, dtype: torch.dtype = torch.float64
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(num_layers, batch, heads, tokens, tokens, generator=generator, dtype=torch.float64)
    return (2 * scores).softmax(-1).to(dtype)


def one_hot(index: int, length: int, dtype: torch.dtype) -> Tensor:
    return torch.eye(length, dtype=dtype)[index]


def fuse_by_hand(attention: Tensor, name: str) -> Tensor:
    return {"mean": attention.mean(2), "max": attention.amax(2), "min": attention.amin(2)}[name]


@dataclass(frozen=True)
class Case:
    """Random attention of some shape, as if a model had returned it in float64."""

    attention: Tensor  # (L, B, H, N, N)
    num_prefix_tokens: int
    grid_size: tuple[int, int]

    @property
    def tokens(self) -> int:
        return self.attention.shape[-1]

    def rollout(self, dtype: torch.dtype = torch.float64, **options: Any) -> Rollout:
        return rollout(self.attention.to(dtype), **self.sequence, **options)

    @property
    def sequence(self) -> dict[str, Any]:
        return {"num_prefix_tokens": self.num_prefix_tokens, "grid_size": self.grid_size}


grids = st.tuples(st.integers(1, 5), st.integers(1, 5))
ratios = st.sampled_from(DISCARDS)
options = st.fixed_dictionaries(
    {
        "head_fusion": st.sampled_from(HEAD_FUSIONS),
        "discard_ratio": ratios,
        "scope": st.sampled_from(["matrix", "row"]),
        "residual": st.sampled_from([0.0, 0.3, 0.5, 0.9]),
        "row_norm": st.sampled_from(["mixed", "attention"]),
    }
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    prefix = draw(st.sampled_from([1, 2, 6]))
    grid = draw(grids)
    layers, batch, heads = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    tokens = prefix + grid[0] * grid[1]
    return Case(softmax_attention(layers, batch, heads, tokens, seed=draw(st.integers(0, 2**20))), prefix, grid)
