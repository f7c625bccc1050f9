"""Scattered digits: placements are pure, parts share no digit, and the masks are where the digits are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from deit_core.data import TrainBatches, load_data, load_source, open_source
from deit_core.data.sources.scattered_digits import NOISE, scatter
from deit_core.data.sources.sklearn_digits import load_digits
from deit_core.data.splits import cut
from deit_core.spec import AugmentSpec, DataSpec

HOME = Path("data")


def spec(**changes: object) -> DataSpec:
    few = {"places_per_digit": 1} | changes
    return DataSpec(source="scattered-digits", img_size=20, val_fraction=0.2).with_changes(**few)


def test_images_depend_on_the_split_seed_alone() -> None:
    first, again, other = (open_source(spec(split_seed=seed), HOME) for seed in (0, 0, 1))
    assert np.array_equal(first.train_images[:], again.train_images[:])
    assert first.content_hash == again.content_hash != other.content_hash
    assert not np.array_equal(first.test_images[:], other.test_images[:])


def test_the_pixels_are_those_of_every_version_so_far() -> None:
    """Runs are resumed, and teachers told from others, by the hash of their images."""
    known = "e8bc99b036b466ada3a1df26b9fabdc7044953446c4077248b367aac1737c1a7"
    assert open_source(spec(clutter=2), HOME).content_hash == known


def test_an_image_does_not_depend_on_how_many_there_are() -> None:
    digits, labels, _, _ = load_digits()
    wanted = spec(places_per_digit=2)
    few, many = (scatter(digits[:count], labels[:count], wanted, "training") for count in (5, 50))
    assert np.array_equal(few.images, many.images[:10])


@pytest.mark.parametrize("clutter", [0, 3])
def test_the_digit_is_where_the_mask_says(clutter: int) -> None:
    digits, labels, _, _ = load_digits()
    found = scatter(digits[:40], labels[:40], spec(canvas_size=24, places_per_digit=3, clutter=clutter), "training")
    assert found.images.shape == (120, 1, 24, 24)
    assert found.labels.tolist() == np.repeat(labels[:40], 3).tolist()
    assert (found.masks.sum((1, 2)) == 64).all()
    for image, mask, digit in zip(found.images[:, 0] / 255, found.masks, np.repeat(digits[:40, 0], 3, 0), strict=True):
        placed, ink = image[mask].reshape(8, 8), digit / 255
        assert (placed >= ink - 6 * NOISE).all()
        if not clutter:
            assert np.abs(placed - ink).max() < 6 * NOISE
            assert image[~mask].max() < 6 * NOISE


def test_each_place_is_drawn() -> None:
    digits, labels, _, _ = load_digits()
    masks = scatter(digits, labels, spec(canvas_size=10), "training").masks
    assert len(np.unique(masks.reshape(len(masks), -1), axis=0)) == 9  # 3 by 3


def test_no_digit_is_in_two_parts() -> None:
    """Without noise the digits could be compared; so their positions are: an image's digit follows from its number."""
    source = open_source(spec(places_per_digit=4), HOME)
    train, val = cut(source, spec(places_per_digit=4))
    assert set(train).isdisjoint(val)
    assert len(train) % 4 == len(val) % 4 == 0
    assert {index // 4 for index in train}.isdisjoint({index // 4 for index in val})
    assert len(train) + len(val) == 4 * 1437


def test_a_spec_says_what_there_will_be() -> None:
    wanted = spec(places_per_digit=3, canvas_size=16, img_size=16)
    data, facts = load_data(wanted, HOME), wanted.facts
    assert facts is not None
    assert len(data.train) + len(data.val) == facts.num_train == 3 * 1437
    assert len(data.test) == facts.num_test == 8 * 360
    assert facts.native_size == data.train.images.shape[-1] == 16


def test_a_teacher_of_other_placements_has_another_split() -> None:
    base = spec()
    for changes in ({"canvas_size": 16}, {"clutter": 1}, {"places_per_digit": 2}, {"split_seed": 3}):
        assert spec(**changes).split != base.split


def test_by_name_it_is_made_as_a_spec_has_it_by_default() -> None:
    by_default = open_source(spec(val_fraction=0.1, places_per_digit=2), HOME)
    assert load_source("scattered-digits", HOME).content_hash == by_default.content_hash


def test_with_new_places_each_epoch_has_its_own_images() -> None:
    fixed, anew = spec(), spec(new_places=True)
    data = load_data(anew, HOME)
    in_epoch = data.train.in_epoch
    assert in_epoch is not None
    train = load_data(fixed, HOME).train
    assert train.in_epoch is None
    assert torch.equal(in_epoch(0), torch.as_tensor(train.images))
    assert torch.equal(in_epoch(3), in_epoch(3))
    assert not torch.equal(in_epoch(3), in_epoch(4))
    assert anew.split != fixed.split


def test_batches_show_the_images_of_their_epoch_and_never_the_same_row() -> None:
    data = load_data(spec(new_places=True), HOME)
    batches = TrainBatches(data.train, 64, AugmentSpec(crop_padding=0), seed=1, device=torch.device("cpu"))
    rows = []
    for epoch in (2, 0, 2):
        shown = list(batches.epoch(epoch))
        rows.append(torch.cat([batch.rows for batch in shown]))
        order = batches.draw(epoch).images[:64]
        assert data.train.in_epoch is not None
        assert torch.equal((shown[0].pixels * 255).round().byte(), data.train.in_epoch(epoch)[order])
    assert torch.equal(rows[0], rows[2])
    assert not set(rows[0].tolist()) & set(rows[1].tolist())
