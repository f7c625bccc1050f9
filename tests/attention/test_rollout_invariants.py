"""What holds for every rollout: its shares, its queries, its layouts, its layers and its precision."""

from typing import Any

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
    one_hot,
    options,
    softmax_attention,
)

from deit_core.attention import HEAD_FUSIONS, fuse_heads, rollout, rollout_matrix, rollout_sweep


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
