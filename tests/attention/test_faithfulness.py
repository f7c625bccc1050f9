"""Curves of models whose reasons are known; what a curve depends on, and on what it does not."""

import re
from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn
from uneven_vit import noise, vit

from deit_core import torchvision_ops  # noqa: F401  # its import is slow: not part of a test's time
from deit_core.attention.methods.faithfulness import Curves, Faithfulness, faithfulness
from deit_core.attention.methods.orders import centre_prior, random_orders, relevance_order
from deit_core.catalog import REPLACEMENTS
from deit_core.models import ResNet9, VisionTransformer

GRID = (2, 5)
HOT = [3, 6]  # the patches that decide, of 10


class Brightness(nn.Module):
    """Class 0 with probability 0.1 + 0.8 x the mean brightness of the hot patches, each 4 x 3 px."""

    def forward(self, images: Tensor) -> Tensor:
        patches = rearrange(images, "b 1 (gh ph) (gw pw) -> b (gh gw) (ph pw)", ph=4, pw=3).mean(-1)
        probability = 0.1 + 0.8 * patches[:, HOT].mean(-1)
        return torch.stack([probability, 1 - probability], dim=-1).log()


def hot_map() -> Tensor:
    ideal = torch.zeros(10)
    ideal[HOT] = 1.0
    return ideal.view(1, *GRID)


@pytest.fixture
def maps() -> Tensor:
    return noise(3, 3, 5, seed=1)


def all_curves(found: Faithfulness) -> list[Curves]:
    return [found.given, found.centre, *found.random]


def test_the_ideal_map_has_the_area_that_can_be_written_down() -> None:
    found = faithfulness(Brightness().eval(), torch.ones(1, 1, 8, 15), hot_map(), replacement="mean")
    torch.testing.assert_close(found.fractions, torch.arange(11) / 10)
    torch.testing.assert_close(found.given.morf, torch.tensor([[0.9, 0.5, *9 * [0.1]]]))
    torch.testing.assert_close(found.given.lerf, torch.tensor([[*9 * [0.9], 0.5, 0.1]]))
    torch.testing.assert_close(found.given.area, torch.tensor([0.8 * (1 - 2 / 10)]))
    assert found.percentile.tolist() == [100.0]


def test_the_inverted_map_has_the_negative_area() -> None:
    found = faithfulness(Brightness().eval(), torch.ones(1, 1, 8, 15), -hot_map(), replacement="mean")
    torch.testing.assert_close(found.given.area, torch.tensor([-0.64]))
    assert found.percentile.tolist() == [0.0]


def test_a_token_is_what_the_model_reads_and_its_absence_is_felt() -> None:
    """Only patch 7 shines and class 1 reads brightness: with the token dropped nothing of it can be left."""
    model = vit(num_classes=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.patch_embed.proj.weight[0] = 1.0
        model.norm.weight.fill_(1.0)
        for block in model.blocks:  # every token attends to all alike and passes on what it finds
            block.norm1.weight.fill_(1.0)
            block.attn.qkv.weight[48:] = torch.eye(24)
            block.attn.proj.weight.copy_(torch.eye(24))
        model.head.weight[1, 0] = 2.0
    shining = torch.zeros(15)
    shining[7] = 1.0
    images = shining.view(1, 1, 3, 1, 5, 1).expand(1, 2, 3, 4, 5, 4).reshape(1, 2, 12, 20)
    map = shining.view(1, 3, 5)
    found = faithfulness(model, images, map, num_random=20)
    assert found.given.morf[0, 0] > 0.9
    torch.testing.assert_close(found.given.morf[0, 1:], torch.full((10,), 0.5))
    assert (found.given.lerf[0, :-1] > 0.9).all()
    assert found.percentile.item() == 100.0
    assert found.percentile.dtype == torch.float32
    assert torch.equal(faithfulness(model, images, -map).given.morf, found.given.lerf)


def test_what_does_not_matter_is_a_tie_with_chance() -> None:
    class Blind(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 1e-6 * images.mean((1, 2, 3))[:, None] * torch.arange(4)  # as far apart as rounding

    found = faithfulness(Blind().eval(), noise(2, 1, 8, 15), noise(2, *GRID), replacement="mean")
    assert found.percentile.tolist() == [50.0, 50.0]


def test_the_centre_wins_where_the_centre_is_what_matters() -> None:
    class Centre(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([images[:, 0, 4:8, 4:8].mean((1, 2)), torch.zeros(len(images))], dim=-1)

    found = faithfulness(Centre().eval(), torch.ones(1, 1, 12, 12), noise(1, 3, 3), replacement="mean")
    assert all(found.centre.area > curves.area for curves in found.random)


def test_the_reversed_map_swaps_the_curves(model: VisionTransformer, images: Tensor, maps: Tensor) -> None:
    found, negated = faithfulness(model, images, maps), faithfulness(model, images, -maps)
    torch.testing.assert_close(found.given.morf, negated.given.lerf)
    torch.testing.assert_close(found.given.lerf, negated.given.morf)
    torch.testing.assert_close(found.given.area, -negated.given.area)
    torch.testing.assert_close(found.centre.morf, negated.centre.morf)


def test_only_the_order_of_a_map_counts(model: VisionTransformer, images: Tensor, maps: Tensor) -> None:
    found, squeezed = faithfulness(model, images, maps), faithfulness(model, images, (5 * maps).exp())
    assert torch.equal(found.given.morf, squeezed.given.morf)


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_all_curves_start_at_the_whole_image_and_end_together(
    model: VisionTransformer, images: Tensor, maps: Tensor, replacement: str
) -> None:
    found = faithfulness(model, images, maps, replacement=replacement, num_random=2)
    with torch.no_grad():
        whole = model(images).softmax(-1).amax(-1)
    curves = all_curves(found)
    assert len(curves) == 4
    for line in [line for both in curves for line in (both.morf, both.lerf)]:
        assert line.shape == (3, 11)
        assert torch.equal(line[:, 0], whole)
        assert torch.equal(line[:, -1], curves[0].morf[:, -1])
        assert line.amin() >= 0
        assert line.amax() <= 1
        assert line.std(dim=1).amin() > 1e-3


def test_a_fraction_is_rounded_to_whole_patches() -> None:
    class Counter(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            there = images.mean((1, 2, 3)).clamp(1e-6, 1 - 1e-6)
            return torch.stack([there, 1 - there], dim=-1).log()

    for grid, gone in {
        (7, 7): [0, 5, 10, 15, 20, 25, 29, 34, 39, 44, 49],
        (1, 3): [0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3],
        (1, 1): [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
    }.items():
        images, target = torch.ones(1, 1, *grid), torch.tensor([0])
        found = faithfulness(Counter().eval(), images, noise(1, *grid), target=target, replacement="mean")
        count = grid[0] * grid[1]
        there = 1 - torch.tensor([gone]) / count
        torch.testing.assert_close(found.given.morf, there, atol=2e-6, rtol=0)
        torch.testing.assert_close(found.given.area, torch.zeros(1))


def test_equal_values_are_shuffled_and_no_corner_is_favoured() -> None:
    constant = torch.zeros(1, 7, 7)
    first_gone = torch.cat([relevance_order(constant, random_orders(1, 49, seed)[0])[:, :5] for seed in range(200)])
    assert first_gone.unique().numel() == 49
    assert abs(first_gone.double().mean().item() - 24) < 2
    shuffle = random_orders(1, 49, 0)[0]
    assert torch.equal(relevance_order(constant, shuffle)[0], shuffle)
    almost = constant.clone()
    almost[0, 4, 2] = 1.0
    assert relevance_order(almost, shuffle)[0, 0] == 4 * 7 + 2
    assert relevance_order(-almost, shuffle)[0, -1] == 4 * 7 + 2


def test_a_constant_map_is_one_more_random_order(model: VisionTransformer, images: Tensor) -> None:
    found = faithfulness(model, images, torch.zeros(3, 3, 5), seed=4)
    shuffle = random_orders(1, 15, seed=4)[0]
    ranked = torch.empty(15).scatter(0, shuffle, torch.arange(15, 0, -1).float()).view(1, 3, 5).expand(3, 3, 5)
    assert torch.equal(found.given.morf, faithfulness(model, images, ranked, seed=4).given.morf)
    assert not any(torch.equal(found.given.morf, curves.morf) for curves in found.random)


@pytest.mark.parametrize("grid", [(7, 7), (4, 6), (1, 5), (3, 14)])
def test_the_centre_prior_is_centred_symmetric_and_a_share(grid: tuple[int, int]) -> None:
    prior = centre_prior(grid)
    assert prior.shape == grid
    torch.testing.assert_close(prior.sum(), torch.tensor(1.0))
    assert torch.equal(prior, prior.flip(0))
    assert torch.equal(prior, prior.flip(1))
    assert prior[grid[0] // 2, grid[1] // 2] == prior.max()
    assert prior[0, 0] == prior.min() < prior.max()


def test_a_seed_is_reproduced_and_another_differs(model: VisionTransformer, images: Tensor, maps: Tensor) -> None:
    once, again, other = (faithfulness(model, images, maps, seed=seed) for seed in (1, 1, 2))
    for mine, same, differs in zip(once.random, again.random, other.random, strict=True):
        assert torch.equal(mine.morf, same.morf)
        assert not torch.equal(mine.morf, differs.morf)
    assert torch.equal(once.given.morf, other.given.morf)
    fewer = faithfulness(model, images, maps, seed=1, num_random=2)
    torch.testing.assert_close(fewer.random[1].lerf, once.random[1].lerf)


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_a_batch_is_its_images_one_by_one(
    model: VisionTransformer,
    images: Tensor,
    maps: Tensor,
    replacement: str,
) -> None:
    """Also where there are so many orders that together they are looked at in several pieces, and alone in one."""
    options = {"replacement": replacement, "num_random": 60}
    together = faithfulness(model, images, maps, **options)
    singles = [faithfulness(model, images[[b]], maps[[b]], **options) for b in range(3)]
    for b, single in enumerate(singles):
        for mine, alone in zip(all_curves(together), all_curves(single), strict=True):
            torch.testing.assert_close(mine.morf[[b]], alone.morf)
            torch.testing.assert_close(mine.lerf[[b]], alone.lerf)
        assert together.percentile[b] == single.percentile[0]


def test_a_target_is_watched_in_place_of_the_prediction(model: VisionTransformer, images: Tensor, maps: Tensor) -> None:
    with torch.no_grad():
        probabilities = model(images).softmax(-1)
    target = torch.tensor([4, 0, 2])
    found = faithfulness(model, images, maps, target=target)
    assert torch.equal(found.given.lerf[:, 0], probabilities[range(3), target])


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_model_inputs_and_global_randomness_stay(
    model: VisionTransformer, images: Tensor, maps: Tensor, replacement: str
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, state = (images.clone(), maps.clone()), torch.get_rng_state()
    found = faithfulness(model, images, maps, replacement=replacement)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, inputs[0])
    assert torch.equal(maps, inputs[1])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.training
    assert not found.given.morf.requires_grad


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"replacement": "grey"}, "There is no replacement 'grey'; choose drop, blur, mean"),
        ({"num_random": 0}, "num_random must be at least 1, not 0"),
        ({"maps": torch.zeros(2, 3, 5)}, "these are (3, 2, 12, 20) and (2, 3, 5); pass one map per image"),
        ({"maps": torch.zeros(3, 15)}, "belong together"),
        ({"maps": torch.zeros(3, 0, 5)}, "belong together"),
        ({"images": torch.zeros(2, 12, 20)}, "belong together"),
        ({"maps": torch.full((3, 3, 5), float("nan"))}, "NaN or infinite"),
        ({"maps": torch.full((3, 3, 5), float("inf"))}, "NaN or infinite"),
        ({"maps": torch.zeros(3, 5, 3)}, "a grid of (3, 5) patches, not (12, 20) px and (5, 3)"),
        ({"images": torch.zeros(3, 2, 24, 20)}, "images of (12, 20) px"),
        ({"maps": torch.zeros(3, 5, 5), "replacement": "blur"}, "A grid of 5 x 5 does not divide an image of 12 x 20"),
        ({"maps": torch.zeros(3, 3, 3), "replacement": "mean"}, "A grid of 3 x 3 does not divide"),
        ({"target": torch.tensor([0, 1])}, "target must be 3 class indices from 0 to 4"),
        ({"target": torch.tensor([0, 1, 5])}, "class indices from 0 to 4"),
        ({"target": torch.tensor([0, 1, -1])}, "class indices from 0 to 4"),
        ({"target": torch.tensor([0.0, 1.0, 1.0])}, "class indices from 0 to 4"),
        ({"model": ResNet9(2, 5, 4).eval()}, "A ResNet9 has no tokens to drop; choose replacement blur or mean"),
        ({"model": vit().train()}, "in train mode, where dropout changes every score; call model.eval() first"),
    ],
    ids=str,
)
def test_what_cannot_be_measured_is_refused(images: Tensor, maps: Tensor, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        faithfulness(**({"model": vit(), "images": images, "maps": maps} | change))
    assert str(caught.value).endswith(".")
