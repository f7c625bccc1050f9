"""Each head by itself: the numbers that the model computed with, and refusals like those of rollout."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from deit_core.attention.flow.head_maps import head_maps
from deit_core.attention.flow.rollout import rollout
from deit_core.models import VisionTransformer

L, B, H = 2, 3, 4
SEQUENCE: dict[str, Any] = {"num_prefix_tokens": 2, "grid_size": (2, 3)}


@pytest.fixture
def attention() -> Tensor:
    scores = torch.randn(L, B, H, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (2 * scores).softmax(-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_each_head_keeps_its_own_row(attention: Tensor, dtype: torch.dtype) -> None:
    attention = attention.to(dtype)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    rows = {"class": 0, "distillation": 1, 5: 5}
    for query, row in rows.items():
        maps = head_maps(attention, **SEQUENCE, query=query)
        assert maps.shape == (L, B, H, 2, 3)
        assert maps.dtype == wide
        assert torch.equal(maps.flatten(-2), attention[..., row, 2:].to(wide))
    both = (attention[..., 0, 2:].to(wide) + attention[..., 1, 2:].to(wide)) / 2
    torch.testing.assert_close(head_maps(attention, **SEQUENCE).flatten(-2), both)


def test_the_cell_of_a_patch_is_where_it_lies(attention: Tensor) -> None:
    for patch in range(6):
        hot = torch.zeros_like(attention)
        hot[..., 2 + patch] = 1
        maps = head_maps(hot, **SEQUENCE)
        expected = torch.zeros(2, 3, dtype=maps.dtype)
        expected[patch // 3, patch % 3] = 1
        assert torch.equal(maps, expected.expand_as(maps))


def test_weights_over_tokens_an_image(attention: Tensor) -> None:
    weights = torch.randn(B, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    maps = head_maps(list(attention), **SEQUENCE, query=weights)
    for index in range(B):
        expected = torch.stack([weights[index] @ attention[1, index, head] for head in range(H)])[:, 2:]
        torch.testing.assert_close(maps[1, index].flatten(-2), expected, rtol=0, atol=1e-13)


def test_the_mean_of_heads_is_a_rollout_of_one_layer_without_a_residual(attention: Tensor) -> None:
    expected = rollout(attention, **SEQUENCE, layers=[1], residual=0).map
    torch.testing.assert_close(head_maps(attention, **SEQUENCE)[1].mean(1), expected, rtol=0, atol=1e-13)


def test_reads_a_models_attention_and_leaves_it_alone() -> None:
    model = VisionTransformer((8, 12), 4, 1, 3, embed_dim=12, depth=2, num_heads=3, distilled=True).eval()
    _, attention = model(torch.randn(2, 1, 8, 12), return_attention=True)
    before = attention.detach().clone()
    maps = head_maps(attention, num_prefix_tokens=model.num_prefix_tokens, grid_size=model.grid_size)
    assert maps.shape == (2, 2, 3, 2, 3)
    assert not maps.requires_grad
    maps.zero_()
    assert torch.equal(attention, before)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"num_prefix_tokens": 1}, "make 7 tokens, but the attention has 8"),
        ({"grid_size": (3, 3)}, "make 11 tokens, but the attention has 8"),
        ({"query": 8}, "There is no token 8 to query; choose one from 0 to 7"),
        ({"query": "cls"}, "There is no query 'cls'"),
        ({"query": torch.ones(7)}, "of shape (8,) or (3, 8)"),
    ],
    ids=str,
)
def test_a_wrong_option_is_named(attention: Tensor, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        head_maps(attention, **(SEQUENCE | change))


def test_what_is_not_attention_of_heads_is_refused(attention: Tensor) -> None:
    for fused in (attention[:, :, 0], list(attention[:, :, 0])):
        with pytest.raises(ValueError, match="heads are fused already, so none can be shown; pass the attention with"):
            head_maps(fused, **SEQUENCE)
    with pytest.raises(ValueError, match="attention is empty"):
        head_maps([], **SEQUENCE)
    for head in range(H):
        off, negative, nan = attention.clone(), torch.full_like(attention, 1 / 8), attention.clone()
        off[1, 2, head, 7] *= 1.01
        negative[1, 2, head, 7, :2] += torch.tensor([0.2, -0.2], dtype=torch.float64)  # the mean of heads hides it
        nan[1, 2, head, 7, 3] = float("nan")
        for bad, says in ((off, "must sum to 1"), (negative, "cannot be negative"), (nan, "NaN or infinite")):
            with pytest.raises(ValueError, match=says):
                head_maps(bad, **SEQUENCE)
