"""The links that a rollout leaves out: exactly their share, the same at every ratio, and what an empty row becomes."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_attention import (
    DISCARDS,
    Case,
    both_dtypes,
    cases,
    examples,
    grids,
    one_hot,
    options,
    ratios,
    softmax_attention,
)
from torch import Tensor

from deit_core.attention import RATIOS, discard_links, fuse_heads, rollout, rollout_sweep, thresholds


@st.composite
def distinct_links(draw: st.DrawFn) -> tuple[Tensor, int, tuple[int, int]]:
    """Fused attention (L, B, N, N) without ties, in float32 as well: shuffled whole numbers."""
    prefix, grid = draw(st.sampled_from([1, 2, 6])), draw(grids)
    tokens = prefix + grid[0] * grid[1]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    numbers = torch.stack([torch.randperm(tokens**2, generator=generator) + 1 for _ in range(4)])
    return numbers.view(2, 2, tokens, tokens).double() / tokens**2, prefix, grid


@both_dtypes
@given(distinct_links(), st.one_of(ratios, st.floats(0, 1, exclude_max=True)), st.sampled_from(["matrix", "row"]))
@examples
def test_discard_drops_exactly_its_share_and_no_prefix_column(
    dtype: torch.dtype, drawn: tuple[Tensor, int, tuple[int, int]], ratio: float, scope: str
) -> None:
    fused, prefix, _ = drawn[0].to(dtype), *drawn[1:]
    cut = thresholds(fused, num_prefix_tokens=prefix, ratios=[ratio], scope=scope)[0]
    kept = discard_links(fused, cut, num_prefix_tokens=prefix)
    assert torch.equal(kept[..., :prefix], fused[..., :prefix])
    dropped = kept[..., prefix:] == 0
    tokens, patches = dropped.shape[-2:]
    if scope == "matrix":
        assert (dropped.sum((-1, -2)) == min(int(ratio * tokens * patches), tokens * patches - 1)).all()
    else:
        assert (dropped.sum(-1) == min(int(ratio * patches), patches - 1)).all()
    assert torch.equal(kept[..., prefix:][~dropped], fused[..., prefix:][~dropped])
    links = fused[..., prefix:]
    strongest_dropped = links.masked_fill(~dropped, 0).flatten(-2) if scope == "matrix" else links * dropped
    weakest_kept = links.masked_fill(dropped, 9).flatten(-2) if scope == "matrix" else links.masked_fill(dropped, 9)
    assert (strongest_dropped.amax(-1) < weakest_kept.amin(-1)).all()


def test_discard_keeps_ties() -> None:
    fused = torch.tensor([[9.0, 1, 1, 2], [9, 1, 3, 3], [9, 3, 3, 3], [9, 3, 3, 3]]).view(1, 1, 4, 4)
    cut = thresholds(fused, num_prefix_tokens=1, ratios=[0.2], scope="matrix")[0]  # floor(2.4): the third 1 of three
    assert cut.item() == 1
    assert torch.equal(discard_links(fused, cut, num_prefix_tokens=1), fused)


@both_dtypes
@given(cases(), st.sampled_from(["matrix", "row"]))
@examples
def test_one_sort_serves_every_ratio(dtype: torch.dtype, case: Case, scope: str) -> None:
    fused = fuse_heads(case.attention.to(dtype))
    cuts = thresholds(fused, num_prefix_tokens=case.num_prefix_tokens, ratios=DISCARDS, scope=scope)
    rows = 1 if scope == "matrix" else case.tokens
    assert cuts.shape == (len(DISCARDS), *fused.shape[:2], rows, 1)
    for ratio, cut in zip(DISCARDS, cuts, strict=True):
        (single,) = thresholds(fused, num_prefix_tokens=case.num_prefix_tokens, ratios=[ratio], scope=scope)
        assert torch.equal(cut, single)
        cached = rollout(discard_links(fused, cut, num_prefix_tokens=case.num_prefix_tokens), **case.sequence)
        fresh = rollout(fused, **case.sequence, discard_ratio=ratio, scope=scope)
        assert torch.equal(cached.weights, fresh.weights)


@both_dtypes
@given(cases(), options)
@settings(examples, max_examples=15)
def test_sweep_equals_rollout_at_each_ratio(dtype: torch.dtype, case: Case, chosen: dict[str, Any]) -> None:
    del chosen["discard_ratio"]
    attention = case.attention.to(dtype)
    maps = rollout_sweep(attention, **case.sequence, ratios=DISCARDS, **chosen)
    assert maps.shape == (len(DISCARDS), attention.shape[1], *case.grid_size)
    for ratio, swept in zip(DISCARDS, maps, strict=True):
        assert torch.equal(swept, case.rollout(dtype, discard_ratio=ratio, **chosen).map)


def test_sweep_covers_the_slider_by_default() -> None:
    attention = softmax_attention(2, 1, 2, 5, seed=3)
    maps = rollout_sweep(attention, num_prefix_tokens=1, grid_size=(2, 2))
    assert maps.shape == (100, 1, 2, 2)
    assert RATIOS[0] == 0
    assert RATIOS[90] == 0.9
    assert torch.equal(maps[90], rollout(attention, num_prefix_tokens=1, grid_size=(2, 2), discard_ratio=0.9).map)


@given(cases(), st.sampled_from(["mean", "max"]))
@examples
def test_row_scope_never_loses_the_map(case: Case, head_fusion: str) -> None:
    result = case.rollout(head_fusion=head_fusion, discard_ratio=0.99, scope="row")
    assert not result.degenerate.any()


@pytest.mark.parametrize("row_norm", ["mixed", "attention"])
@pytest.mark.parametrize("residual", [0.0, 0.5])
def test_a_class_row_wiped_by_the_discard_is_degenerate_and_never_nan(row_norm: str, residual: float) -> None:
    fused = torch.rand(2, 2, 5, 5, generator=torch.Generator().manual_seed(0)) + 1
    fused[:, 0, 0] = 1e-3  # the class token of image 0 barely attends
    fused[:, :, :, 0] = 0
    result = rollout(
        fused, num_prefix_tokens=1, grid_size=(2, 2), discard_ratio=0.3, row_norm=row_norm, residual=residual
    )
    assert result.degenerate.tolist() == [True, False]
    assert torch.equal(result.weights[0], one_hot(0, 5, torch.float32))
    assert (result.map[0] == 0).all()


def test_vanishing_links_overflow_nothing() -> None:
    fused = torch.full((3, 1, 5, 5), 1e-42)
    for row_norm, residual in itertools.product(["mixed", "attention"], [0.0, 0.5, 1.0]):
        result = rollout(fused, num_prefix_tokens=1, grid_size=(2, 2), row_norm=row_norm, residual=residual)
        torch.testing.assert_close(result.weights.sum(-1), torch.ones(1))
