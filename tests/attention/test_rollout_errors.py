"""What a person can get wrong, and the sentence they are shown."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from deit_core.attention import fuse_heads, query_weights, rollout, rollout_matrix, rollout_sweep, thresholds

L, B, H, N = 2, 3, 2, 8
SEQUENCE: dict[str, Any] = {"num_prefix_tokens": 2, "grid_size": (2, 3)}


def uniform(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.full(shape, 1 / shape[-1], dtype=dtype)


@pytest.fixture
def attention() -> Tensor:
    return uniform(L, B, H, N, N)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("discard_ratio", 1.0, "discard_ratio must lie in [0, 1), not 1.0"),
        ("discard_ratio", -0.1, "discard_ratio must lie in [0, 1)"),
        ("discard_ratio", float("nan"), "discard_ratio must lie in [0, 1), not nan"),
        ("residual", 1.1, "residual must lie in [0, 1], not 1.1"),
        ("residual", float("nan"), "residual must lie in [0, 1]"),
        ("scope", "layer", "There is no scope 'layer'; choose matrix or row"),
        ("row_norm", "softmax", "There is no row_norm 'softmax'; choose mixed or attention"),
        ("head_fusion", "median", "There is no head_fusion 'median'; choose mean, max, min, a head's index"),
        ("head_fusion", H, "There is no head 2; choose one from 0 to 1"),
        ("head_fusion", -1, "There is no head -1"),
        ("head_fusion", [0.5, 0.5, 0.5], "2 finite numbers >= 0"),
        ("head_fusion", [1.0, -1.0], "2 finite numbers >= 0"),
        ("head_fusion", [0.0, 0.0], "not all 0"),
        ("head_fusion", [float("nan"), 1.0], "2 finite numbers >= 0"),
        ("head_fusion", [float("inf"), 1.0], "2 finite numbers >= 0"),
        ("query", "cls", "There is no query 'cls'; choose head, class, distillation"),
        ("query", N, "There is no token 8 to query; choose one from 0 to 7"),
        ("query", -1, "There is no token -1 to query"),
        ("query", torch.ones(N - 1), "of shape (8,) or (3, 8)"),
        ("query", torch.full((N,), float("nan")), "must be finite"),
        ("layers", [], "layers must name some of the 2 layers 0 to 1, each once, not []"),
        ("layers", [0, 0], "each once"),
        ("layers", [2], "2 layers 0 to 1"),
        ("layers", [-1], "2 layers 0 to 1"),
        ("num_prefix_tokens", 1, "1 prefix tokens and 2 x 3 patches make 7 tokens, but the attention has 8"),
        ("num_prefix_tokens", -1, "take num_prefix_tokens and grid_size from the model"),
        ("grid_size", (2, 2), "2 x 2 patches make 6 tokens, but the attention has 8"),
        ("grid_size", (-2, -3), "take num_prefix_tokens and grid_size from the model"),
    ],
)
def test_a_wrong_option_is_named(attention: Tensor, option: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        rollout(attention, **(SEQUENCE | {option: value}))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("attention", "says"),
    [
        ([], "The attention is empty"),
        (uniform(0, B, H, N, N), "The attention is empty"),
        ([uniform(B, H, N, N), None], "Layer 1 of the attention is NoneType, not a tensor; call the model with"),
        ([uniform(B, H, N, N), uniform(B, H, 5, 5)], "layer 0 is (3, 2, 8, 8) and layer 1 is (3, 2, 5, 5)"),
        (uniform(N, N), "A layer of shape (8,) is no attention"),
        (uniform(L, B, H, N, N + 1), "A layer of shape (3, 2, 8, 9) is no attention"),
        (uniform(L, 0, H, N, N), "A layer of shape (0, 2, 8, 8) is no attention"),
        (torch.ones(L, B, H, N, N, dtype=torch.int64), "must be floating point, not torch.int64"),
        (uniform(L, B, H, N, N) * 1.01, "Each row of a head must sum to 1, but one is off by 0.01; call model.eval()"),
        (torch.zeros(L, B, H, N, N), "Each row of a head must sum to 1"),
        (torch.full((L, B, H, N, N), float("nan")), "holds NaN or infinite values"),
        (torch.full((L, B, N, N), float("nan")), "holds NaN or infinite values"),
        (torch.full((L, B, N, N), float("inf")), "holds NaN or infinite values"),
        (-uniform(L, B, N, N), "cannot be negative, but one is -0.125"),
    ],
    ids=str,
)
@pytest.mark.parametrize("function", [rollout, rollout_sweep, rollout_matrix])
def test_what_is_not_attention_is_refused(function: Any, attention: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        function(attention, **SEQUENCE)
    assert str(caught.value).endswith(".")


def test_one_bad_row_among_many_is_found(attention: Tensor) -> None:
    attention[1, 2, 1, 7, 3] += 0.002
    with pytest.raises(ValueError, match=r"off by 0\.002"):
        rollout(attention, **SEQUENCE)


def test_one_nan_among_many_is_found() -> None:
    fused = uniform(L, B, N, N)
    fused[1, 2, 7, 3] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        rollout(fused, **SEQUENCE)


def test_rows_of_a_half_precision_model_may_round_further_off() -> None:
    rollout(uniform(L, B, H, 50, 50, dtype=torch.bfloat16), num_prefix_tokens=1, grid_size=(7, 7))
    with pytest.raises(ValueError, match="must sum to 1"):
        rollout(uniform(L, B, H, N, N).bfloat16() * 1.02, **SEQUENCE)


def test_fused_heads_cannot_be_picked_apart() -> None:
    fused = uniform(L, B, N, N)
    for head_fusion in (0, [0.5, 0.5]):
        with pytest.raises(ValueError, match="heads are fused already"):
            rollout(fused, **SEQUENCE, head_fusion=head_fusion)
    with pytest.raises(ValueError, match="no head_fusion 'median'"):
        fuse_heads(fused, "median")


def test_a_model_without_the_token_says_what_to_query_instead() -> None:
    plain = uniform(L, B, H, 7, 7)
    with pytest.raises(ValueError, match='no distillation token; use query="class", or load a distilled model'):
        rollout(plain, num_prefix_tokens=1, grid_size=(2, 3), query="distillation")
    with pytest.raises(ValueError, match="has no class token"):
        query_weights("class", num_prefix_tokens=0, like=torch.zeros(1, 6))


def test_compat_knows_neither_scope_nor_row_norm(attention: Tensor) -> None:
    for option in ({"scope": "row"}, {"row_norm": "attention"}):
        with pytest.raises(ValueError, match="compat=True reproduces code that has neither"):
            rollout(attention, **SEQUENCE, compat=True, **option)


def test_thresholds_refuse_what_they_cannot_cut(attention: Tensor) -> None:
    fused = fuse_heads(attention)
    with pytest.raises(ValueError, match="call fuse_heads first"):
        thresholds(attention, num_prefix_tokens=2)
    with pytest.raises(ValueError, match="8 prefix tokens leave no patches among 8 tokens"):
        thresholds(fused, num_prefix_tokens=8)
    with pytest.raises(ValueError, match="at least one discard ratio"):
        thresholds(fused, num_prefix_tokens=2, ratios=[])
    with pytest.raises(ValueError, match="discard_ratio must lie"):
        rollout_sweep(attention, **SEQUENCE, ratios=[0.5, 1.0])
    with pytest.raises(ValueError, match="no scope"):
        thresholds(fused, num_prefix_tokens=2, scope="head")
