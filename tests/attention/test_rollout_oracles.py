"""A rollout is what matrices written out by hand, the published formula and the popular code say."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_attention import (
    TOLERANCE,
    Case,
    both_dtypes,
    cases,
    examples,
    fuse_by_hand,
    grids,
    one_hot,
    ratios,
    softmax_attention,
)

from deit_core.attention import HEAD_FUSIONS, rollout, rollout_matrix

GRIDS = [(1, 1), (1, 5), (2, 2), (2, 3), (4, 3), (5, 5)]


def naive_matrix(
    attention: np.ndarray,  # (L, H, N, N)
    prefix: int,
    head_fusion: str,
    discard_ratio: float,
    scope: str,
    residual: float,
    row_norm: str,
    layers: list[int] | None = None,
) -> np.ndarray:
    """The independent reference: one image, plain loops, the whole matrix (N, N) at every step."""
    tokens = attention.shape[-1]
    product = np.eye(tokens)
    for index in range(len(attention)) if layers is None else layers:
        links = {"mean": np.mean, "max": np.max, "min": np.min}[head_fusion](attention[index], axis=0)
        rows = [links[q, prefix:] for q in range(tokens)]
        groups = [np.concatenate(rows)] if scope == "matrix" else rows
        cuts = [np.sort(group)[int(discard_ratio * len(group))] for group in groups]
        layer = np.zeros((tokens, tokens))
        for q in range(tokens):
            cut = cuts[0] if scope == "matrix" else cuts[q]
            row = np.array([w if j < prefix or w >= cut else 0.0 for j, w in enumerate(links[q])])
            itself = np.eye(tokens)[q]
            if row_norm == "attention":
                row = row / row.sum() if row.sum() > 0 else itself
            row = residual * itself + (1 - residual) * row
            layer[q] = row / row.sum() if row.sum() > 0 else itself
        product = layer @ product
    return product


def test_agrees_with_naive_matrices_in_hundreds_of_random_cases() -> None:
    rng = np.random.default_rng(0)
    worst = 0.0
    for seed in range(300):
        prefix, grid = int(rng.choice([1, 2, 6])), GRIDS[rng.integers(len(GRIDS))]
        tokens, depth = prefix + grid[0] * grid[1], int(rng.integers(1, 5))
        attention = softmax_attention(depth, 2, int(rng.integers(1, 4)), tokens, seed=seed)
        layers = sorted(rng.choice(depth, size=rng.integers(1, depth + 1), replace=False).tolist())
        chosen = {
            "head_fusion": str(rng.choice(HEAD_FUSIONS)),
            "discard_ratio": float(rng.choice([0.0, rng.random(), 0.9, 0.99])),
            "scope": str(rng.choice(["matrix", "row"])),
            "residual": float(rng.choice([0.0, 0.5, rng.random()])),
            "row_norm": str(rng.choice(["mixed", "attention"])),
            "layers": layers,
        }
        query = int(rng.integers(tokens))
        result = rollout(attention, num_prefix_tokens=prefix, grid_size=grid, query=query, **chosen)
        matrix = rollout_matrix(attention, num_prefix_tokens=prefix, grid_size=grid, **chosen)
        for image in range(2):
            expected = naive_matrix(attention[:, image].numpy(), prefix, **chosen)
            worst = max(worst, np.abs(result.weights[image].numpy() - expected[query]).max())
            worst = max(worst, np.abs(matrix[image].numpy() - expected).max())
    assert worst <= 1e-12


def popular_map(fused: np.ndarray, discard_ratio: float) -> np.ndarray:
    """The widespread implementation for one image with a class token, retold: (L, N, N) -> (N - 1,)."""
    tokens = fused.shape[-1]
    rolled = np.eye(tokens, dtype=fused.dtype)
    for layer in fused:
        entries = layer.ravel().copy()
        for position in np.argsort(entries)[: int(entries.size * discard_ratio)]:
            if position != 0:  # all that is left of sparing the class token
                entries[position] = 0
        mixed = (entries.reshape(tokens, tokens) + np.eye(tokens, dtype=fused.dtype)) / 2
        for column in range(tokens):
            mixed[:, column] /= (entries.reshape(tokens, tokens)[column].sum() + 1) / 2
        rolled = mixed @ rolled
    return rolled[0, 1:]


@both_dtypes
@given(grids, st.integers(1, 4), st.integers(0, 2**20))
@examples
def test_mean_without_discard_is_abnar_and_zuidema(
    dtype: torch.dtype, grid: tuple[int, int], depth: int, seed: int
) -> None:
    attention = softmax_attention(depth, 1, 3, 1 + grid[0] * grid[1], seed=seed, dtype=dtype)
    identity = np.eye(attention.shape[-1])
    rolled = identity
    for heads in attention[:, 0].double().numpy():
        layer = heads.mean(0) + identity
        rolled = (layer / layer.sum(-1, keepdims=True)) @ rolled
    result = rollout(attention, num_prefix_tokens=1, grid_size=grid)
    atol = 1e-6 if dtype == torch.float32 else 1e-13
    np.testing.assert_allclose(result.weights[0], rolled[0], rtol=0, atol=atol)
    popular = popular_map(attention[:, 0].mean(1).numpy(), 0.0)
    patches = result.map[0].ravel().numpy()
    np.testing.assert_allclose(patches / patches.max(), popular / popular.max(), rtol=0, atol=atol)


@both_dtypes
@pytest.mark.parametrize("discard_ratio", [0.0, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("head_fusion", HEAD_FUSIONS)
def test_compat_reproduces_the_popular_code(dtype: torch.dtype, head_fusion: str, discard_ratio: float) -> None:
    for seed, depth in itertools.product(range(4), (1, 3)):
        attention = softmax_attention(depth, 1, 3, 17, seed=seed, dtype=dtype)
        sequence: dict[str, Any] = {"num_prefix_tokens": 1, "grid_size": (4, 4)}
        chosen: dict[str, Any] = {"head_fusion": head_fusion, "discard_ratio": discard_ratio, "compat": True}
        result = rollout(attention, **sequence, **chosen)
        expected = popular_map(fuse_by_hand(attention, head_fusion)[:, 0].numpy(), discard_ratio)
        patches = result.map[0].ravel().numpy()
        np.testing.assert_allclose(patches, expected, rtol=0, atol=TOLERANCE[dtype])
        if expected.max() > 0:
            np.testing.assert_allclose(
                patches / patches.max(), expected / expected.max(), rtol=0, atol=9 * TOLERANCE[dtype]
            )
        matrix = rollout_matrix(attention, **sequence, **chosen)
        torch.testing.assert_close(result.weights, matrix[:, 0], rtol=0, atol=TOLERANCE[dtype])


def test_compat_differs_where_the_popular_code_errs() -> None:
    case = Case(softmax_attention(4, 1, 3, 17, seed=0), 1, (4, 4))
    right, wrong = case.rollout(head_fusion="max").weights, case.rollout(head_fusion="max", compat=True).weights
    assert not torch.allclose(right, wrong, atol=1e-3)
    assert torch.allclose(case.rollout().weights, case.rollout(compat=True).weights)  # harmless: mean, no discard


@both_dtypes
@pytest.mark.parametrize("head_fusion", HEAD_FUSIONS)
@pytest.mark.parametrize("residual", [0.0, 0.5, 0.8])
@given(st.sampled_from([1, 2, 6]), grids, st.integers(1, 5), ratios, st.sampled_from(["matrix", "row"]))
@settings(examples, max_examples=15)
def test_uniform_attention_gives_a_uniform_map_at_any_discard(
    dtype: torch.dtype,
    head_fusion: str,
    residual: float,
    prefix: int,
    grid: tuple[int, int],
    depth: int,
    discard_ratio: float,
    scope: str,
) -> None:
    tokens = prefix + grid[0] * grid[1]
    attention = torch.full((depth, 2, 3, tokens, tokens), 1 / tokens, dtype=dtype)
    result = rollout(
        attention,
        num_prefix_tokens=prefix,
        grid_size=grid,
        query="class",
        head_fusion=head_fusion,
        residual=residual,
        discard_ratio=discard_ratio,
        scope=scope,
    )
    share = (1 - residual**depth) / tokens
    expected = torch.full((2, tokens), share, dtype=dtype)
    expected[:, 0] += residual**depth
    torch.testing.assert_close(result.weights, expected, rtol=0, atol=TOLERANCE[dtype])
    assert not result.degenerate.any()


@both_dtypes
@pytest.mark.parametrize("prefix", [1, 2, 6])
@pytest.mark.parametrize("row_norm", ["mixed", "attention"])
def test_identity_attention_leaves_the_query_where_it_is(dtype: torch.dtype, prefix: int, row_norm: str) -> None:
    tokens = prefix + 12
    attention = torch.eye(tokens, dtype=dtype).expand(3, 2, 2, tokens, tokens)
    result = rollout(attention, num_prefix_tokens=prefix, grid_size=(3, 4), query="class", row_norm=row_norm)
    assert torch.equal(result.weights, one_hot(0, tokens, dtype).expand(2, -1))
    assert result.degenerate.all()
    assert (result.map == 0).all()
    patch = rollout(attention, num_prefix_tokens=prefix, grid_size=(3, 4), query=prefix + 5, row_norm=row_norm)
    assert torch.equal(patch.weights, one_hot(prefix + 5, tokens, dtype).expand(2, -1))
    assert not patch.degenerate.any()


@both_dtypes
@given(cases(), st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.data())
@examples
def test_one_layer_is_the_scaled_attention_row(
    dtype: torch.dtype, case: Case, residual: float, data: st.DataObject
) -> None:
    query = data.draw(st.integers(0, case.num_prefix_tokens - 1))
    attention = case.attention[:1].to(dtype)
    result = rollout(attention, **case.sequence, query=query, residual=residual)
    row = attention[0].mean(1)[:, query, case.num_prefix_tokens :]
    torch.testing.assert_close(result.map.flatten(1), (1 - residual) * row, rtol=0, atol=TOLERANCE[dtype])


@both_dtypes
def test_a_hot_patch_lands_in_its_cell_of_a_rectangular_grid(dtype: torch.dtype) -> None:
    hot = [(0, 0), (0, 7), (5, 0), (2, 6)]  # one image each
    attention = torch.full((1, 4, 2, 50, 50), 0.0, dtype=dtype)
    for image, (row, column) in enumerate(hot):
        attention[:, image, :, :, 2 + 8 * row + column] = 1
    result = rollout(attention, num_prefix_tokens=2, grid_size=(6, 8))
    assert result.map.shape == (4, 6, 8)
    for image, cell in enumerate(hot):
        assert divmod(int(result.map[image].argmax()), 8) == cell
        assert result.map[image].count_nonzero() == 1
