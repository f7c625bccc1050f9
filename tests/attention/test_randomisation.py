"""The cascade of forgetting: in order, to the end, on a copy; and what it says of methods that are known."""

import warnings
from itertools import pairwise
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from deit_core.attention import rollout
from deit_core.attention.methods.randomisation import randomisation_check, rank_correlation
from deit_core.models import ResNet9, VisionTransformer

DEPTH = 3
PARTS = ["trained", "head", "block 3", "block 2", "block 1", "embedding"]


@pytest.fixture(params=[False, True], ids=["plain", "distilled"])
def model(request: pytest.FixtureRequest) -> VisionTransformer:
    """No weight is as an initialisation would leave it, norms included."""
    torch.manual_seed(0)
    model = VisionTransformer((12, 20), 4, 2, 5, 24, DEPTH, 3, 2.0, distilled=request.param).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return model


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 2, 12, 20, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def rolled(model: VisionTransformer, images: Tensor, *, target: Tensor | None = None) -> Tensor:
    _, attention = model(images, return_attention=True)
    return rollout(attention, num_prefix_tokens=model.num_prefix_tokens, grid_size=model.grid_size).map


def saliency(model: VisionTransformer, images: Tensor, *, target: Tensor) -> Tensor:
    """Gradient of the target's logit, class-specific and through every part."""
    images = images.clone().requires_grad_()
    score = model(images).gather(1, target[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, images)
    return gradient.abs().unflatten(-1, (5, 4)).unflatten(-3, (3, 4)).sum((1, 3, 5))


def test_the_parts_are_forgotten_from_the_top_down(model: VisionTransformer, images: Tensor) -> None:
    states: list[dict[str, Tensor]] = []

    def remember(model: nn.Module, images: Tensor, *, target: Tensor) -> Tensor:
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        return images[:, 0, ::4, ::4]

    steps = randomisation_check(model, images, remember)
    assert [step.part for step in steps] == PARTS
    forgotten: list[set[str]] = []
    for before, after in pairwise(states):
        forgotten.append({name for name in before if not torch.equal(before[name], after[name])})
    tokens = {"cls_token", "pos_embed"} | ({"dist_token"} if model.distilled else set())
    blocks = [{name for name in states[0] if name.startswith(f"blocks.{index}.")} for index in range(DEPTH)]
    assert forgotten == [
        {name for name in states[0] if name.startswith("head")},
        blocks[2] | {"norm.weight", "norm.bias"},
        blocks[1],
        blocks[0],
        tokens | {"patch_embed.proj.weight", "patch_embed.proj.bias"},
    ]
    assert set().union(*forgotten) == set(states[0])


def test_what_is_forgotten_is_as_a_new_model_has_it(model: VisionTransformer, images: Tensor) -> None:
    last: dict[str, Tensor] = {}

    def remember(model: nn.Module, images: Tensor, *, target: Tensor) -> Tensor:
        last.update({name: value.clone() for name, value in model.state_dict().items()})
        return images[:, 0]

    randomisation_check(model, images, remember, seed=7)
    torch.manual_seed(7)
    new = VisionTransformer((12, 20), 4, 2, 5, 24, DEPTH, 3, 2.0, distilled=model.distilled)
    torch.manual_seed(7)
    new.init_weights()
    assert all(torch.equal(value, last[name]) for name, value in new.state_dict().items())


def test_the_trained_model_comes_first_and_is_like_itself(model: VisionTransformer, images: Tensor) -> None:
    first = randomisation_check(model, images, rolled)[0]
    assert torch.equal(first.maps, rolled(model, images))
    assert first.similarity.tolist() == [1.0, 1.0, 1.0]


def test_rollout_does_not_notice_that_the_heads_are_gone(model: VisionTransformer, images: Tensor) -> None:
    steps = randomisation_check(model, images, rolled)
    assert steps[1].similarity.tolist() == [1.0, 1.0, 1.0]
    assert torch.equal(steps[1].maps, steps[0].maps)
    assert all((step.similarity < 0.999).all() for step in steps[2:])
    for step in steps[1:]:
        assert torch.equal(step.similarity, rank_correlation(steps[0].maps, step.maps))
        assert step.maps.shape == (3, 3, 5)


def test_a_class_specific_method_notices_at_once(model: VisionTransformer, images: Tensor) -> None:
    steps = randomisation_check(model, images, saliency)
    assert all((step.similarity < 0.999).all() for step in steps[1:])
    assert steps[-1].similarity.mean() < 0.6


def test_a_method_that_ignores_the_model_is_found_out(model: VisionTransformer, images: Tensor) -> None:
    def edges(model: nn.Module, images: Tensor, *, target: Tensor) -> Tensor:
        return images[:, 0].diff(dim=-1).abs()

    assert all(step.similarity.tolist() == [1.0, 1.0, 1.0] for step in randomisation_check(model, images, edges))


def test_the_target_stays_the_trained_models(model: VisionTransformer, images: Tensor) -> None:
    targets: list[Tensor] = []

    def ask(model: nn.Module, images: Tensor, *, target: Tensor) -> Tensor:
        targets.append(target)
        return images[:, 0]

    randomisation_check(model, images, ask)
    with torch.no_grad():
        predicted = model(images).argmax(-1)
    assert len(targets) == len(PARTS)
    assert all(torch.equal(target, predicted) for target in targets)


def test_a_seed_is_reproduced_and_another_differs(model: VisionTransformer, images: Tensor) -> None:
    once, again, other = (randomisation_check(model, images, rolled, seed=seed) for seed in (1, 1, 2))
    for mine, same, differs in zip(once[2:], again[2:], other[2:], strict=True):
        assert torch.equal(mine.maps, same.maps)
        assert torch.equal(mine.similarity, same.similarity)
        assert not torch.equal(mine.maps, differs.maps)


def test_model_and_global_randomness_stay(model: VisionTransformer, images: Tensor) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()

    def spoil(model: nn.Module, images: Tensor, *, target: Tensor) -> Tensor:
        assert not model.training
        with torch.no_grad():
            model.head.weight.zero_()  # even a careless method is given a copy
        return images[:, 0]

    randomisation_check(model, images, spoil)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_rank_correlation_is_scipys() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randint(0, 6, (20, 4, 5), generator=generator).float()  # full of equal values
    second = first + torch.randint(0, 9, (20, 4, 5), generator=generator)
    expected = [spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)]
    torch.testing.assert_close(rank_correlation(first, second), torch.tensor(expected, dtype=torch.float32))
    assert rank_correlation(first, 3 * first + 1).tolist() == [1.0] * 20
    assert rank_correlation(first, -first).tolist() == [-1.0] * 20


def test_a_constant_map_has_no_rank_correlation() -> None:
    flat, uneven = torch.ones(2, 3, 3), torch.arange(18.0).view(2, 3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for first, second in ((flat, uneven), (uneven, flat), (flat, flat)):
            assert rank_correlation(first, second).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda: ResNet9(2, 5, 4).eval(), "A ResNet9 has no blocks to randomise one by one; choose a ViT or a DeiT."),
        (lambda: VisionTransformer((12, 20), 4, 2, 5, 24, 1, 3), "in train mode, where dropout changes every map"),
    ],
    ids=["CNN", "train mode"],
)
def test_what_cannot_be_randomised_is_refused(images: Tensor, prepare: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        randomisation_check(prepare(), images, rolled)
