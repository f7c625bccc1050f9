"""What is done to single images: RandAugment, colour jitter, erasing and repeated views, against torchvision's own.

Their first version; test_second_views.py has the second.
"""

import math

import numpy as np
import pytest
import torch

from deit_core.catalog.pixel_versions import PixelVersion
from deit_core.data import Split, TrainBatches
from deit_core.data.augment.color_jitter import adjust_brightness, adjust_contrast, adjust_saturation, draw_factors
from deit_core.data.augment.erasing import draw_boxes, erase
from deit_core.data.augment.rand_augment import RandAugmentDraws, draw_operations, rand_augment
from deit_core.data.augment.resized_crop import draw_regions, resized_crop
from deit_core.spec import AugmentSpec
from deit_core.torchvision_ops import v2

CPU = torch.device("cpu")
FULL = AugmentSpec(
    resized_crop=0.08,
    randaugment_ops=2,
    color_jitter=0.3,
    random_erasing=0.25,
    mixup_alpha=0.8,
    cutmix_alpha=1.0,
    repeated_aug=3,
)


def split(count: int = 48, chans: int = 3, size: int = 16) -> Split:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, chans, size, size), dtype=torch.uint8, generator=generator)
    return Split(images, torch.arange(count))


# All together


@pytest.mark.parametrize("version", [1, 2])
def test_an_epoch_entered_late_goes_on_as_if_from_the_start(version: PixelVersion) -> None:
    batches = TrainBatches(split(), 10, FULL, 0, CPU, version)
    whole = list(batches.epoch(5))
    torch.rand(5)
    rest = list(batches.epoch(5, first_step=2))
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.labels, other.labels)
        assert one.mix is not None
        assert other.mix is not None
        assert one.mix.share == other.mix.share
    assert not torch.equal(whole[0].pixels, next(batches.epoch(6)).pixels)


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_touches_the_global_generator(version: PixelVersion) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(TrainBatches(split(), 10, FULL, 0, CPU, version).epoch(0))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("version", [1, 2])
def test_no_two_draws_of_an_epoch_share_a_stream(version: PixelVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of its first step neither: numpy pads counters with zeros."""
    mixed: list[int] = []
    real = np.random.SeedSequence

    def noted(counter: tuple[int, ...]) -> np.random.SeedSequence:
        sequence = real(counter)
        mixed.append(int(sequence.generate_state(1, np.uint64)[0]))
        return sequence

    monkeypatch.setattr(np.random, "SeedSequence", noted)
    batches = TrainBatches(split(), 10, FULL, 0, CPU, version)
    list(batches.epoch(0))
    assert len(mixed) == (9 if version > 1 else 7 + 2 * batches.steps_per_epoch)
    assert len(set(mixed)) == len(mixed)


@pytest.mark.parametrize("field", ["randaugment_ops", "color_jitter", "random_erasing", "mixup_alpha", "cutmix_alpha"])
def test_views_without_end_are_not_counted(field: str) -> None:
    assert AugmentSpec(**{field: 1}).num_views is None
    assert AugmentSpec(mixup_alpha=1, mixup_prob=0).num_views == 25
    assert AugmentSpec(repeated_aug=3, test_flip=True).num_views == 25
    assert AugmentSpec(resized_crop=0.5).num_views is None


# RandAugment


@pytest.mark.parametrize("chans", [1, 3])
def test_every_operation_is_torchvisions(chans: int) -> None:
    """A draw of torchvision's, found by trying seeds, gives what the same draw gives here."""
    images = split(4, chans).images
    names = list(v2.RandAugment._AUGMENTATION_SPACE)
    signed = [is_signed for _, is_signed in v2.RandAugment._AUGMENTATION_SPACE.values()]
    seen = set()
    for seed in range(120):
        torch.manual_seed(seed)
        expected = v2.RandAugment(num_ops=1, magnitude=20)(images)
        torch.manual_seed(seed)
        number = int(torch.randint(len(names), ()))
        is_negative = signed[number] and bool(torch.rand(()) <= 0.5)
        draws = RandAugmentDraws(torch.full((4, 1), number), torch.full((4, 1), is_negative))
        assert torch.equal(rand_augment(images, draws, 20), expected), names[number]
        seen.add((number, is_negative))
    assert len(seen) == len(names) + sum(signed)


def test_operations_of_one_image_do_not_depend_on_the_others() -> None:
    images = split(20).images
    draws = draw_operations(20, 2, seed=0, epoch=0)
    together = rand_augment(images, draws, 9)
    for index in range(20):
        alone = rand_augment(images[index : index + 1], draws[index : index + 1], 9)
        assert torch.equal(alone[0], together[index])
    counts = draw_operations(7000, 2, 0, 0).operations.unique(return_counts=True)[1]
    assert counts.tolist() == pytest.approx([1000] * 14, rel=0.15)


# Colour jitter


@pytest.mark.parametrize("chans", [1, 3])
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.6])
def test_colours_change_by_torchvisions_formulas(factor: float, chans: int) -> None:
    pixels, factors = torch.rand(2, chans, 8, 8), torch.full((2,), factor)
    for ours, theirs in (
        (adjust_brightness, v2.functional.adjust_brightness),
        (adjust_contrast, v2.functional.adjust_contrast),
        (adjust_saturation, v2.functional.adjust_saturation),
    ):
        torch.testing.assert_close(ours(pixels, factors), theirs(pixels, factor), atol=1e-4, rtol=0)


def test_factors_lie_around_one() -> None:
    factors = draw_factors(5000, 0.3, 0, 0)
    assert (factors.min().item(), factors.max().item()) == pytest.approx((0.7, 1.3), abs=1e-2)
    assert factors.mean(0).tolist() == pytest.approx([1.0] * 3, abs=0.02)


# Erasing


def test_boxes_have_the_papers_bounds() -> None:
    size = 224  # where rounding to pixels is small
    top, bottom, left, right = draw_boxes(4000, 0.25, size, 0, 0).unbind(1)
    height, width = (bottom - top).float(), (right - left).float()
    erased = height > 0
    assert erased.float().mean().item() == pytest.approx(0.25, abs=0.02)
    area, ratio = (height * width)[erased] / size**2, (height / width)[erased]
    assert 0.019 < area.min() < 0.03
    assert 0.3 < area.max() < 0.335
    assert ratio.log().mean().item() == pytest.approx(math.log(0.3 * 3.3) / 2, abs=0.05)
    assert min(top.min(), left.min()) == 0
    assert max(bottom.max(), right.max()) <= size


def test_only_the_box_becomes_noise() -> None:
    pixels = torch.full((2, 3, 8, 8), 2.0)
    erased = erase(pixels, torch.tensor([[1, 4, 2, 8], [3, 3, 5, 5]]), 0, 0, 0)
    assert torch.equal(erased[1], pixels[1])
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[1:4, 2:8] = True
    assert (erased[0, :, ~inside] == 2).all()
    assert (erased[0, :, inside] < 1).all()
    assert len(erased[0, :, inside].unique()) == 3 * 3 * 6
    assert not torch.equal(erased, erase(pixels, torch.tensor([[1, 4, 2, 8], [3, 3, 5, 5]]), 0, 0, 1))


# Repeated augmentation


@pytest.mark.parametrize(("batch_size", "repeats"), [(12, 3), (10, 3), (8, 1), (16, 4)])
def test_a_batch_shows_fewer_images_more_often(batch_size: int, repeats: int) -> None:
    data, augment = split(48), AugmentSpec(crop_padding=4, repeated_aug=repeats)
    batches = TrainBatches(data, batch_size, augment, 0, CPU)
    epoch = list(batches.epoch(0))
    assert len(epoch) == batches.steps_per_epoch == 48 // batch_size
    shown: set[int] = set()
    num_pairs = num_equal = 0
    for batch in epoch:
        labels, counts = batch.labels.unique(return_counts=True)
        assert len(batch.labels) == batch_size
        assert len(labels) == math.ceil(batch_size / repeats)
        assert counts.max() == repeats
        assert not shown & set(labels.tolist())
        shown |= set(labels.tolist())
        for one in range(batch_size - 1):
            if batch.labels[one] == batch.labels[one + 1]:
                num_pairs += 1
                num_equal += int(torch.equal(batch.pixels[one], batch.pixels[one + 1]))
                assert (batch.rows[one] == batch.rows[one + 1]) == torch.equal(batch.pixels[one], batch.pixels[one + 1])
    assert num_equal <= 0.15 * num_pairs, "views of one image are drawn apart"


# Random resized crop


def test_regions_lie_inside_and_are_spread_as_torchvisions() -> None:
    regions = draw_regions(20_000, 0.08, 0, 3)
    top, left, height, width = regions.unbind(1)
    assert (regions >= 0).all()
    assert ((top + height <= 1 + 1e-6) & (left + width <= 1 + 1e-6)).all()
    torch.manual_seed(0)
    theirs = v2.RandomResizedCrop(1000, scale=(0.08, 1.0))
    drawn = [theirs.make_params([torch.empty(1, 1000, 1000)]) for _ in range(4000)]
    expected = torch.tensor([[one[key] / 1000 for key in ("top", "left", "height", "width")] for one in drawn])
    torch.testing.assert_close(regions.mean(0), expected.mean(0), atol=0.015, rtol=0)
    torch.testing.assert_close(regions.std(0), expected.std(0), atol=0.015, rtol=0)
    torch.testing.assert_close((height * width).mean(), (expected[:, 2] * expected[:, 3]).mean(), atol=0.015, rtol=0)


def test_a_region_is_enlarged_as_by_interpolation() -> None:
    images = split(2, size=32).images
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(2, -1)
    assert torch.equal(resized_crop(images, whole), images)
    region = torch.tensor([[0.25, 0.125, 0.5, 0.25]]).expand(2, -1)  # rows 8 to 24, columns 4 to 12
    cut = torch.nn.functional.interpolate(images[:, :, 8:24, 4:12].float(), (32, 32), mode="bicubic")
    inside = (slice(None), slice(None), slice(4, -4), slice(8, -8))  # at a cut's border theirs sees no neighbours
    expected = cut.round().clamp(0, 255).to(torch.uint8)[inside]
    differing = (resized_crop(images, region)[inside].int() - expected.int()).abs()
    assert differing.max() <= 1
    assert (differing == 0).float().mean() > 0.99
