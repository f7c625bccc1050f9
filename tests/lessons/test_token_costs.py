"""The cost of tokens: attention grows with their square, as torch counts it, and all else in proportion."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from deit_core.lessons.timing import measured_seconds
from deit_core.lessons.token_costs import costs, exponent
from deit_core.models.block import Attention, Mlp

WIDTH = 24


def test_attention_grows_with_the_square_and_the_rest_in_proportion() -> None:
    counted = costs(32, WIDTH)
    tokens = [one.tokens for one in counted]
    assert tokens == [2, 5, 17, 65, 257, 1025]
    assert exponent(tokens, [one.attention for one in counted]) == pytest.approx(2)
    assert exponent(tokens, [one.rest for one in counted]) == pytest.approx(1)


@torch.no_grad()
def test_they_are_the_operations_that_torch_counts() -> None:
    cost = costs(32, WIDTH)[3]
    attention, mlp = Attention(WIDTH, 4, qkv_bias=True, attn_drop=0, proj_drop=0), Mlp(WIDTH, 2 * WIDTH, 0)
    tokens = torch.zeros(1, cost.tokens, WIDTH)
    with FlopCounterMode(display=False) as counter:
        attention(tokens, return_attention=True)
        mlp(tokens)
    assert counter.get_total_flops() == cost.attention + cost.rest


def test_each_number_of_tokens_is_measured() -> None:
    measured = dict(measured_seconds((4, 9)))
    assert list(measured) == [4, 9]
    assert min(measured.values()) > 0
