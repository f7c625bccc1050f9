"""What must hold for every rollout, checked against matrices written out by hand.

Shapes: L layers, B batch, H heads, N tokens = P prefix + gh * gw patches.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deit_core.attention import (
    HEAD_FUSIONS,
    RATIOS,
    Rollout,
    discard_links,
    fuse_heads,
    rollout,
    rollout_matrix,
    rollout_sweep,
    thresholds,
)

TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13}
GRIDS = [(1, 1), (1, 5), (2, 2), (2, 3), (4, 3), (5, 5)]
DISCARDS = [0.0, 0.1, 0.3, 0.5, 0.9, 0.99]

# derandomize: a random near-tie at a threshold would otherwise fail once in ten thousand runs, for nobody's benefit.
examples = settings(max_examples=40, deadline=None, derandomize=True, database=None)
grids = st.tuples(st.integers(1, 5), st.integers(1, 5))
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def softmax_attention(
    num_layers: int, batch: int, heads: int, tokens: int, *, seed: int, dtype: torch.dtype = torch.float64
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(num_layers, batch, heads, tokens, tokens, generator=generator, dtype=torch.float64)
    return (2 * scores).softmax(-1).to(dtype)


def one_hot(index: int, length: int, dtype: torch.dtype) -> Tensor:
    return torch.eye(length, dtype=dtype)[index]


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


@st.composite
def cases(draw: st.DrawFn) -> Case:
    prefix = draw(st.sampled_from([1, 2, 6]))
    grid = draw(grids)
    layers, batch, heads = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    tokens = prefix + grid[0] * grid[1]
    return Case(softmax_attention(layers, batch, heads, tokens, seed=draw(st.integers(0, 2**20))), prefix, grid)


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


# The independent reference: one image, plain loops, the whole matrix at every step.


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


@both_dtypes
@given(cases(), options, st.data())
@examples
def test_weights_are_shares(dtype: torch.dtype, case: Case, chosen: dict[str, Any], data: st.DataObject) -> None:
    query = data.draw(st.one_of(st.sampled_from(["head", "class"]), st.integers(0, case.tokens - 1)))
    result = case.rollout(dtype, query=query, **chosen)
    assert result.weights.dtype == dtype
    assert (result.weights >= 0).all()
    torch.testing.assert_close(
        result.weights.sum(-1), torch.ones(len(result.weights), dtype=dtype), rtol=0, atol=TOLERANCE[dtype]
    )
    assert torch.equal(torch.cat([result.prefix_mass, result.map.flatten(1)], dim=-1), result.weights)
    assert result.map.shape[1:] == case.grid_size
    assert result.prefix_mass.shape[1] == case.num_prefix_tokens
    assert result.trace.shape == (*case.attention.shape[:2], case.tokens)
    assert torch.equal(result.trace[-1], result.weights)


@both_dtypes
@given(cases(), options, st.data())
@examples
def test_vector_equals_matrix_row(dtype: torch.dtype, case: Case, chosen: dict[str, Any], data: st.DataObject) -> None:
    matrix = rollout_matrix(case.attention.to(dtype), **case.sequence, **chosen)
    query = data.draw(st.integers(0, case.tokens - 1))
    atol = TOLERANCE[dtype]
    torch.testing.assert_close(case.rollout(dtype, query=query, **chosen).weights, matrix[:, query], rtol=0, atol=atol)
    generator = torch.Generator().manual_seed(query)
    weights = torch.randn(len(matrix), case.tokens, generator=generator, dtype=torch.float64).to(dtype)
    expected = torch.einsum("bq,bqn->bn", weights, matrix)
    torch.testing.assert_close(case.rollout(dtype, query=weights, **chosen).weights, expected, rtol=0, atol=9 * atol)


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


def fuse_by_hand(attention: Tensor, name: str) -> Tensor:
    return {"mean": attention.mean(2), "max": attention.amax(2), "min": attention.amin(2)}[name]


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
@given(cases(), options, st.randoms(use_true_random=False))
@examples
def test_permuting_patches_permutes_the_map(
    dtype: torch.dtype, case: Case, chosen: dict[str, Any], random: Any
) -> None:
    prefix = case.num_prefix_tokens
    patches = list(range(prefix, case.tokens))
    random.shuffle(patches)
    order = torch.tensor([*range(prefix), *patches])
    attention = fuse_by_hand(case.attention.to(dtype), chosen.pop("head_fusion"))
    straight = rollout(attention, **case.sequence, **chosen)
    permuted = rollout(attention[..., order, :][..., order], **case.sequence, **chosen)
    torch.testing.assert_close(permuted.weights, straight.weights[:, order], rtol=0, atol=TOLERANCE[dtype])


@both_dtypes
@given(cases(), options, st.booleans())
@examples
def test_a_batch_is_the_loop_over_its_images(
    dtype: torch.dtype, case: Case, chosen: dict[str, Any], compat: bool
) -> None:
    if compat:
        chosen = chosen | {"scope": "matrix", "row_norm": "mixed", "compat": True}
    together = case.rollout(dtype, **chosen)
    for image in range(case.attention.shape[1]):
        alone = rollout(case.attention[:, image : image + 1].to(dtype), **case.sequence, **chosen)
        for name in ("weights", "map", "prefix_mass"):
            torch.testing.assert_close(
                getattr(together, name)[image], getattr(alone, name)[0], rtol=0, atol=TOLERANCE[dtype]
            )
        torch.testing.assert_close(together.trace[:, image], alone.trace[:, 0], rtol=0, atol=TOLERANCE[dtype])
        assert together.degenerate[image] == alone.degenerate[0]


@both_dtypes
@given(cases(), options)
@examples
def test_head_is_the_mean_of_the_tokens_that_are_read(dtype: torch.dtype, case: Case, chosen: dict[str, Any]) -> None:
    head, class_token = case.rollout(dtype, **chosen), case.rollout(dtype, query="class", **chosen)
    assert torch.equal(class_token.weights, case.rollout(dtype, query=0, **chosen).weights)
    if case.num_prefix_tokens == 2:
        distillation = case.rollout(dtype, query="distillation", **chosen)
        expected = (class_token.weights + distillation.weights) / 2
        torch.testing.assert_close(head.weights, expected, rtol=0, atol=TOLERANCE[dtype])
    else:  # registers feed no head
        assert torch.equal(head.weights, class_token.weights)


def test_head_without_prefix_tokens_is_the_mean_of_all_patches() -> None:
    attention = softmax_attention(2, 2, 2, 6, seed=0)
    matrix = rollout_matrix(attention, num_prefix_tokens=0, grid_size=(2, 3))
    result = rollout(attention, num_prefix_tokens=0, grid_size=(2, 3))
    torch.testing.assert_close(result.weights, matrix.mean(1))
    assert result.prefix_mass.shape == (2, 0)


def test_a_signed_query_is_the_difference_of_two_tokens() -> None:
    case = Case(softmax_attention(3, 2, 2, 8, seed=1), 2, (2, 3))
    difference = one_hot(0, 8, torch.float64) - one_hot(1, 8, torch.float64)
    expected = case.rollout(query="class").weights - case.rollout(query="distillation").weights
    torch.testing.assert_close(case.rollout(query=difference).weights, expected)


# Discard.


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


# Layout.


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


@both_dtypes
@given(cases())
@examples
def test_max_mean_min_are_ordered(dtype: torch.dtype, case: Case) -> None:
    attention = case.attention.to(dtype)
    highest, mean, lowest = (fuse_heads(attention, name) for name in ("max", "mean", "min"))
    slack = torch.finfo(dtype).eps  # the mean of equal numbers may round
    assert (highest + slack >= mean).all()
    assert (mean + slack >= lowest).all()


@given(cases())
@examples
def test_heads_can_be_chosen_and_weighted(case: Case) -> None:
    heads = case.attention.shape[2]
    for head in range(heads):
        assert torch.equal(fuse_heads(case.attention, head), case.attention[:, :, head])
    torch.testing.assert_close(fuse_heads(case.attention, [2.0] * heads), case.attention.mean(2))
    alone = torch.zeros(heads)
    alone[-1] = 7
    torch.testing.assert_close(fuse_heads(case.attention, alone), case.attention[:, :, -1])


@both_dtypes
@given(cases(), options)
@examples
def test_every_layout_gives_the_same_rollout(dtype: torch.dtype, case: Case, chosen: dict[str, Any]) -> None:
    attention = case.attention.to(dtype)
    fused = fuse_by_hand(attention, chosen["head_fusion"])
    expected = rollout(attention, **case.sequence, **chosen).weights
    for layout in (list(attention), tuple(attention), fused, list(fused)):
        torch.testing.assert_close(
            rollout(layout, **case.sequence, **chosen).weights, expected, rtol=0, atol=TOLERANCE[dtype]
        )


@given(cases(), st.data())
@examples
def test_layers_left_out_pass_everything_on(case: Case, data: st.DataObject) -> None:
    depth = case.attention.shape[0]
    layers = data.draw(st.lists(st.integers(0, depth - 1), min_size=1, unique=True))
    attention = case.attention.clone()
    for layer in set(range(depth)) - set(layers):
        attention[layer] = torch.eye(case.tokens)
    some, replaced = case.rollout(layers=layers), rollout(attention, **case.sequence)
    torch.testing.assert_close(some.weights, replaced.weights, rtol=0, atol=1e-13)
    torch.testing.assert_close(some.trace, replaced.trace, rtol=0, atol=1e-13)
    matrix = rollout_matrix(case.attention, **case.sequence, layers=layers)
    torch.testing.assert_close(matrix, rollout_matrix(attention, **case.sequence), rtol=0, atol=1e-13)


@given(cases(), options)
@examples
def test_trace_shows_each_depth(case: Case, chosen: dict[str, Any]) -> None:
    depth = case.attention.shape[0]
    trace = case.rollout(**chosen).trace
    for step in range(depth):
        upper = case.rollout(layers=range(depth - 1 - step, depth), **chosen).weights
        torch.testing.assert_close(trace[step], upper, rtol=0, atol=1e-13)


@both_dtypes
@given(cases(), options)
@settings(examples, max_examples=15)
def test_inputs_stay_bit_identical_and_out_of_the_graph(dtype: torch.dtype, case: Case, chosen: dict[str, Any]) -> None:
    heads = case.attention.to(dtype).requires_grad_()
    fused = fuse_by_hand(heads.detach(), chosen["head_fusion"]).requires_grad_()
    sweep = {key: value for key, value in chosen.items() if key != "discard_ratio"}
    for attention in (heads, fused):
        before = attention.detach().clone()
        result = rollout(attention, **case.sequence, **chosen)
        outputs = [fuse_heads(attention), result.weights, result.trace]
        outputs.append(rollout_matrix(attention, **case.sequence, **chosen))
        outputs.append(rollout_sweep(attention, **case.sequence, ratios=[0.0, 0.5], **sweep))
        outputs.append(rollout(attention, **case.sequence, discard_ratio=chosen["discard_ratio"], compat=True).weights)
        assert not any(output.requires_grad for output in outputs)
        assert torch.equal(attention.detach(), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("head_fusion", [*HEAD_FUSIONS, 1, [0.5, 0.25, 0.25]])
def test_half_precision_accumulates_in_float32(dtype: torch.dtype, head_fusion: Any) -> None:
    attention = softmax_attention(4, 2, 3, 27, seed=5)
    sequence: dict[str, Any] = {"num_prefix_tokens": 2, "grid_size": (5, 5), "head_fusion": head_fusion}
    half = rollout(attention.to(dtype), **sequence)
    assert half.weights.dtype == torch.float32
    assert half.degenerate.dtype == torch.bool
    torch.testing.assert_close(half.weights.double(), rollout(attention, **sequence).weights, rtol=0.02, atol=1e-4)
    torch.testing.assert_close(half.weights.sum(-1), torch.ones(2))
    uniform = torch.full((1, 1, 3, 27, 27), 1 / 27, dtype=dtype)  # rounds to rows that sum to 1.002 in bfloat16
    assert not rollout(uniform, **sequence).degenerate.any()
