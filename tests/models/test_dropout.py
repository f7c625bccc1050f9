"""Dropout: the right share, nothing lost on average, the same masks for the same seed, and its gradient."""

import pytest
import torch

from deit_core.models import VisionTransformer
from deit_core.models.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_drops_its_share_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    n = 400_000
    out = Dropout(p).train()(torch.ones(n))
    spread = (p * (1 - p) / n) ** 0.5
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=4 * spread + 2**-17)
    assert out.double().mean().item() == pytest.approx(1, abs=4 * spread / (1 - p))
    assert len(out.unique()) == 2


def test_neighbours_drop_independently() -> None:
    """Four numbers share a random word: none may follow from another."""
    torch.manual_seed(0)
    dropped = Dropout(0.5).train()(torch.ones(200_000, 4)) == 0
    correlation = torch.corrcoef(dropped.T.double())
    assert (correlation - torch.eye(4)).abs().max().item() < 4 / 200_000**0.5


def test_draws_from_torchs_seed_and_again_each_time() -> None:
    dropout, x = Dropout(0.3).train(), torch.ones(7, 11, 3)  # 231 numbers, no multiple of a word's four
    torch.manual_seed(1)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(1)
    assert torch.equal(dropout(x), first)
    assert not torch.equal(first, second)


def test_the_gradient_passes_what_was_kept() -> None:
    x = torch.ones(50, 40, requires_grad=True)
    torch.manual_seed(0)
    out = Dropout(0.2).train()(x.transpose(0, 1))
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad.T, out.detach())


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_rests_in_eval_and_at_rate_zero(p: float) -> None:
    x = torch.randn(8, 8)
    assert Dropout(p).eval()(x) is x
    assert (Dropout(p).train()(x) is x) == (p == 0)


def test_a_rate_just_below_one_still_keeps_something_finite() -> None:
    assert Dropout(1 - 1e-9).train()(torch.ones(100_000)).isfinite().all()


@pytest.mark.parametrize("img_size", [28, 68], ids=["written out", "fused"])  # 51 and 291 tokens
def test_training_attends_as_eval_does(img_size: int) -> None:
    """On a CPU small sequences are written out in training and fused in eval: the same numbers, and no weights kept."""
    torch.manual_seed(0)
    model = VisionTransformer(img_size, 4, 1, 10, embed_dim=32, depth=2, num_heads=4, distilled=True)
    x = torch.randn(2, 1, img_size, img_size)
    tokens, attention = model.train().forward_features(x)
    assert attention == []
    assert torch.allclose(tokens, model.eval().forward_features(x)[0], atol=1e-5)
