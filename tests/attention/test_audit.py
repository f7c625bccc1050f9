"""The audit against closed forms, and against the trace and the matrices of rollout itself.

Shapes: L layers, S of them chosen, B batch, H heads, N tokens = P prefix + gh * gw patches.
"""

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deit_core.attention import ROW_NORMS, SCOPES, fuse_heads, query_weights, rollout, rollout_matrix
from deit_core.attention.flow.audit import audit

examples = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def softmax_attention(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(*shape, shape[-1], generator=generator, dtype=torch.float64)).softmax(-1)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Tensor, dict[str, Any]]:
    """Attention of some shape with arguments of `rollout` that fit it."""
    prefix, grid = draw(st.sampled_from([1, 2, 6])), draw(st.sampled_from([(1, 1), (2, 3), (4, 2), (3, 3)]))
    depth, tokens = draw(st.integers(1, 4)), prefix + grid[0] * grid[1]
    attention = softmax_attention((depth, draw(st.integers(1, 3)), 2, tokens), draw(st.integers(0, 10**6)))
    some = st.lists(st.integers(0, depth - 1), min_size=1, unique=True)
    return attention, {
        "num_prefix_tokens": prefix,
        "grid_size": grid,
        "query": draw(st.one_of(st.sampled_from(["head", "class"]), st.integers(0, tokens - 1))),
        "head_fusion": draw(st.sampled_from(["mean", "max", "min", 1])),
        "discard_ratio": draw(st.sampled_from([0.0, 0.3, 0.9, 0.99])),
        "scope": draw(st.sampled_from(SCOPES)),
        "layers": draw(st.none() | some),
        "residual": draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])),
        "row_norm": draw(st.sampled_from(ROW_NORMS)),
    }


@given(calls())
@examples
def test_agrees_with_the_trace_and_the_matrices(call: tuple[Tensor, dict[str, Any]]) -> None:
    attention, options = call
    found = audit(attention, **options)
    trace = rollout(attention, **options).trace  # (L, B, N)
    prefix, ratio, residual = options["num_prefix_tokens"], options["discard_ratio"], options["residual"]
    matrix_options = {name: value for name, value in options.items() if name not in ("query", "layers")}
    fused = fuse_heads(attention, options["head_fusion"])
    depth, batch = fused.shape[:2]
    start = query_weights(options["query"], num_prefix_tokens=prefix, like=fused[0, :, 0])
    assert found.layers == (tuple(range(depth)) if options["layers"] is None else tuple(sorted(options["layers"])))
    for position, layer in enumerate(found.layers):
        matrices = rollout_matrix(attention, layers=[layer], **matrix_options)
        entering = trace[depth - 2 - layer] if layer < depth - 1 else start
        for image in range(batch):
            links = fused[layer, image, :, prefix:]
            ranked = [links] if options["scope"] == "matrix" else list(links)
            weakest = [float(group.flatten().sort().values[int(ratio * group.numel())]) for group in ranked]
            survives = links >= torch.tensor(weakest, dtype=links.dtype).unsqueeze(-1)
            kept = fused[layer, image].clone()
            kept[:, prefix:] *= survives
            stay = residual_diagonal(kept, residual, options["row_norm"])
            if residual < 1:  # what does not stay goes through links
                torch.testing.assert_close(
                    matrices[image] - stay.diag(), (1 - stay)[:, None] * kept / kept.sum(-1, True)
                )

            lost = (links.sum(-1) > 0) & (kept[:, prefix:].sum(-1) == 0)
            assert float(found.kept[position, image]) == pytest.approx(float(survives.double().mean()), abs=1e-12)
            assert float(found.residual_share[position, image]) == pytest.approx(
                float(entering[image] @ stay), abs=1e-12
            )
            assert bool(found.wiped[position, image]) == bool((lost & (start[image] > 0)).any())


def residual_diagonal(kept: Tensor, residual: float, row_norm: str) -> Tensor:
    """The identity's part of each row, from a division that is written out."""
    shares = []
    for row in kept:
        others = float(row.sum())
        if row_norm == "attention":
            shares.append(residual if others > 0 else 1.0)
        else:
            whole = residual + (1 - residual) * others
            shares.append(residual / whole if whole > 0 else 1.0)
    return torch.tensor(shares, dtype=kept.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("residual", [0.0, 0.2, 0.5, 1.0])
def test_mean_without_discard_passes_the_residual_and_keeps_all(dtype: torch.dtype, residual: float) -> None:
    attention = softmax_attention((4, 3, 2, 8)).to(dtype)
    found = audit(attention, num_prefix_tokens=2, grid_size=(2, 3), residual=residual)
    assert found.layers == (0, 1, 2, 3)
    for value in (found.kept, found.residual_share, found.wiped):
        assert value.shape == (4, 3)
    assert found.kept.dtype == found.residual_share.dtype == dtype
    assert found.wiped.dtype == torch.bool
    assert (found.kept == 1).all()
    assert not found.wiped.any()
    torch.testing.assert_close(found.residual_share, torch.full((4, 3), residual, dtype=dtype))


@pytest.mark.parametrize("head_fusion", ["mean", "max", "min"])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.99])
def test_attention_norm_holds_the_residual_share_whatever_the_discard(head_fusion: str, ratio: float) -> None:
    found = audit(
        softmax_attention((3, 2, 2, 10)),
        num_prefix_tokens=1,
        grid_size=(3, 3),
        head_fusion=head_fusion,
        discard_ratio=ratio,
        residual=0.3,
        row_norm="attention",
    )
    torch.testing.assert_close(found.residual_share, torch.full((3, 2), 0.3, dtype=torch.float64))


def test_the_residual_share_drifts_up_after_a_discard_or_min_and_down_after_max() -> None:
    sequence: dict[str, Any] = {"num_prefix_tokens": 1, "grid_size": (3, 3)}
    attention = softmax_attention((3, 2, 2, 10))
    assert (audit(attention, **sequence, discard_ratio=0.5).residual_share > 0.51).all()
    assert (audit(attention, **sequence, head_fusion="min").residual_share > 0.51).all()
    assert (audit(attention, **sequence, head_fusion="max").residual_share < 0.49).all()


@pytest.mark.parametrize("scope", SCOPES)
def test_ties_survive_together(scope: str) -> None:
    uniform = torch.full((2, 1, 2, 9, 9), 1 / 9)
    found = audit(uniform, num_prefix_tokens=1, grid_size=(2, 4), discard_ratio=0.9, scope=scope)
    assert (found.kept == 1).all()
    assert not found.wiped.any()


@pytest.mark.parametrize(("scope", "candidates"), [("matrix", 10 * 9), ("row", 9)])
def test_distinct_links_leave_exactly_their_share(scope: str, candidates: int) -> None:
    attention = softmax_attention((2, 3, 2, 10))
    for ratio in (0.1, 0.5, 0.9):
        found = audit(attention, num_prefix_tokens=1, grid_size=(3, 3), discard_ratio=ratio, scope=scope)
        share = 1 - int(ratio * candidates) / candidates
        torch.testing.assert_close(found.kept, torch.full((2, 3), share, dtype=torch.float64))


def strong_patch_links() -> Tensor:
    """(2, 1, 5, 5) fused, 1 + 2 x 2 tokens: tokens 1 to 4 hold each other fast; token 0 holds on to itself, in layer 1
    only."""
    fused = torch.full((2, 1, 5, 5), 0.24)
    fused[..., 0] = 0.04
    fused[1, :, 0] = torch.tensor([0.96, 0.01, 0.01, 0.01, 0.01])
    return fused


def test_a_wiped_row_is_told_by_layer_and_query() -> None:
    options: dict[str, Any] = {"num_prefix_tokens": 1, "grid_size": (2, 2), "discard_ratio": 0.5}
    fused = strong_patch_links()

    def wiped(query: Any, **changed: Any) -> list[bool]:
        return audit(fused, query=query, **options | changed).wiped[:, 0].tolist()

    assert wiped("class") == [False, True]
    assert wiped("class", discard_ratio=0.1) == [False, False]
    assert wiped("class", layers=[1]) == [True]
    assert wiped(2) == [False, False]
    assert wiped(torch.tensor([0.1, 0.0, 0.9, 0.0, 0.0])) == [False, True]  # one of the queried tokens is enough
    assert wiped(torch.tensor([0.0, 0.5, 0.5, 0.0, 0.0])) == [False, False]
    assert wiped(torch.tensor([-1.0, 1.0, 0.0, 0.0, 0.0])) == [False, True]
    assert wiped("class", scope="row") == [False, False]


def test_a_row_that_never_saw_a_patch_has_lost_nothing() -> None:
    fused = strong_patch_links()
    fused[1, :, 0] = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0])
    found = audit(fused, num_prefix_tokens=1, grid_size=(2, 2), discard_ratio=0.5)
    assert not found.wiped.any()


def test_row_scope_never_wipes() -> None:
    attention = softmax_attention((3, 2, 2, 15))
    options: dict[str, Any] = {"num_prefix_tokens": 2, "grid_size": (1, 13), "discard_ratio": 0.99}
    for token in range(15):
        assert not audit(attention, query=token, scope="row", **options).wiped.any()
    matrix = torch.stack([audit(attention, query=token, **options).wiped for token in range(15)])
    assert matrix.any()  # the same ratio over the whole matrix does


def test_a_row_without_any_link_passes_everything_through_the_residual() -> None:
    fused = torch.zeros(1, 1, 5, 5)
    for row_norm in ROW_NORMS:
        found = audit(fused, num_prefix_tokens=1, grid_size=(2, 2), residual=0.3, row_norm=row_norm)
        assert (found.residual_share == 1).all()


def test_signed_weights_count_by_magnitude_and_nothing_traced_is_0() -> None:
    attention = softmax_attention((3, 2, 2, 10))
    sequence: dict[str, Any] = {"num_prefix_tokens": 1, "grid_size": (3, 3)}
    difference = torch.zeros(10, dtype=torch.float64)
    difference[0], difference[4] = 1, -1
    shares = audit(attention, query=difference, **sequence).residual_share
    torch.testing.assert_close(shares, torch.full((3, 2), 0.5, dtype=torch.float64))
    assert (audit(attention, query=torch.zeros(10), **sequence).residual_share == 0).all()


def test_layers_ascend_in_any_order_of_asking() -> None:
    attention = softmax_attention((5, 2, 2, 10))
    options: dict[str, Any] = {"num_prefix_tokens": 1, "grid_size": (3, 3), "discard_ratio": 0.7}
    found, sorted_one = audit(attention, layers=[4, 0, 2], **options), audit(attention, layers=[0, 2, 4], **options)
    assert found.layers == sorted_one.layers == (0, 2, 4)
    assert torch.equal(found.residual_share, sorted_one.residual_share)
    every = audit(attention, **options)
    assert torch.equal(found.kept, every.kept[[0, 2, 4]])
    assert torch.equal(found.residual_share[-1], every.residual_share[-1])  # the top layer is entered by the query


def test_input_stays_as_it_is() -> None:
    attention = softmax_attention((2, 1, 2, 5)).requires_grad_()
    before = attention.detach().clone()
    found = audit(attention, num_prefix_tokens=1, grid_size=(2, 2), discard_ratio=0.5)
    assert torch.equal(attention, before)
    assert not found.residual_share.requires_grad


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("discard_ratio", 1.0, "discard_ratio must lie in [0, 1), not 1.0"),
        ("residual", 1.5, "residual must lie in [0, 1], not 1.5"),
        ("row_norm", "softmax", "There is no row_norm 'softmax'"),
        ("scope", "layer", "There is no scope 'layer'"),
        ("layers", [], "layers must name some of the 2 layers"),
        ("query", 5, "There is no token 5 to query"),
        ("grid_size", (2, 3), "make 7 tokens, but the attention has 5"),
    ],
)
def test_a_wrong_argument_is_named(option: str, value: Any, says: str) -> None:
    options = {"num_prefix_tokens": 1, "grid_size": (2, 2)} | {option: value}
    with pytest.raises(ValueError, match=re.escape(says)):
        audit(softmax_attention((2, 1, 2, 5)), **options)
