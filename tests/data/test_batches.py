"""Views and order are a pure function of (data, augmentation, seed, epoch)."""

import pytest
import torch

from deit_core.data import Split, TrainBatches, eval_batches
from deit_core.data.augment.crop_and_flip import crop, draw_views, pad
from deit_core.spec import AugmentSpec

CPU = torch.device("cpu")
AUGMENT = AugmentSpec(crop_padding=2, horizontal_flip=True)


def split(count: int = 50, chans: int = 3) -> Split:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, chans, 8, 8), dtype=torch.uint8, generator=generator)
    return Split(images, torch.arange(count))


def test_a_crop_is_what_a_loop_over_images_cuts_out() -> None:
    images, size = split().images, 8
    views = draw_views(len(images), AUGMENT, seed=1, epoch=2)
    padded = pad(images, AUGMENT.crop_padding)
    indices = torch.tensor([4, 0, 31, 4])
    for row, index in zip(crop(padded, indices, views[indices], size), indices.tolist(), strict=True):
        down, across = int(views.down[index]), int(views.across[index])
        expected = padded[index, :, down : down + size, across : across + size]
        assert torch.equal(row, expected.flip(-1) if views.mirrored[index] else expected)


def test_every_view_occurs_and_none_beyond() -> None:
    views = draw_views(5000, AUGMENT, seed=0, epoch=0)
    seen = set(zip(views.down.tolist(), views.across.tolist(), views.mirrored.tolist(), strict=True))
    assert len(seen) == 5 * 5 * 2
    assert not draw_views(100, AugmentSpec(crop_padding=2), 0, 0).mirrored.any()


def test_equal_counters_give_equal_epochs_and_others_do_not() -> None:
    def epoch(seed: int, number: int) -> list[torch.Tensor]:
        return [batch.pixels for batch in TrainBatches(split(), 16, AUGMENT, seed, CPU).epoch(number)]

    first = epoch(0, 3)
    torch.rand(7)  # whatever else draws random numbers
    assert all(torch.equal(a, b) for a, b in zip(first, epoch(0, 3), strict=True))
    assert not torch.equal(first[0], epoch(0, 4)[0])
    assert not torch.equal(first[0], epoch(1, 3)[0])


def test_an_epoch_entered_late_goes_on_as_if_from_the_start() -> None:
    batches = TrainBatches(split(), 16, AUGMENT, 0, CPU)
    whole, rest = list(batches.epoch(5)), list(batches.epoch(5, first_step=2))
    assert len(whole) == batches.steps_per_epoch == 3
    assert torch.equal(whole[2][0], rest[0][0])


def test_after_the_last_step_of_an_epoch_nothing_is_left() -> None:
    batches = TrainBatches(split(), 16, AUGMENT, 0, CPU)
    assert list(batches.epoch(0, first_step=batches.steps_per_epoch)) == []


def test_each_image_comes_at_most_once_and_with_its_label() -> None:
    data = split(chans=1)
    batches = list(TrainBatches(data, 16, AugmentSpec(crop_padding=0), 0, CPU).epoch(0))
    labels = torch.cat([batch.labels for batch in batches])
    assert len(set(labels.tolist())) == len(labels) == 48
    for batch in batches:
        torch.testing.assert_close(batch.pixels, data.images[batch.labels].float() / 255)


@pytest.mark.parametrize("augment", [AUGMENT, AugmentSpec(crop_padding=1), AugmentSpec(crop_padding=0)])
def test_rows_number_the_views_of_all_images(augment: AugmentSpec) -> None:
    """One number, one picture: what was seen under a row in some epoch is seen under it in every other."""
    data = split(10)
    batches = TrainBatches(data, 5, augment, 0, CPU)
    seen: dict[int, torch.Tensor] = {}
    for epoch in range(60):
        for batch in batches.epoch(epoch):
            assert augment.num_views is not None
            assert torch.equal(batch.rows // augment.num_views, batch.labels)  # labels count the images here
            for row, pixels in zip(batch.rows.tolist(), batch.pixels, strict=True):
                assert torch.equal(seen.setdefault(row, pixels), pixels)
    assert set(seen) <= set(range(10 * augment.num_views))
    assert len(seen) > 0.6 * 10 * augment.num_views
    pictures = {(row // augment.num_views, pixels.numpy().tobytes()) for row, pixels in seen.items()}
    assert len(pictures) == len(seen), "two numbers for one picture"


def test_an_epoch_entered_late_has_the_same_rows() -> None:
    batches = TrainBatches(split(), 16, AUGMENT, 0, CPU)
    whole, rest = list(batches.epoch(5)), list(batches.epoch(5, first_step=2))
    assert torch.equal(whole[2].rows, rest[0].rows)


def test_views_without_end_are_numbered_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AugmentSpec, "num_views", None)
    batches = TrainBatches(split(), 16, AUGMENT, 0, CPU)
    rows = torch.cat([batch.rows for epoch in range(3) for batch in batches.epoch(epoch)])
    assert torch.equal(rows, torch.arange(3 * batches.steps_per_epoch * 16))
    rest = list(batches.epoch(1, first_step=1))
    assert torch.equal(rest[0].rows, list(batches.epoch(1))[1].rows)


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    batches = TrainBatches(split(10), 128, AUGMENT, 0, CPU)
    assert batches.steps_per_epoch == 1
    assert len(next(batches.epoch(0)).labels) == 10


def test_evaluation_sees_every_image_once_unchanged() -> None:
    data = split()
    pixels = torch.cat([pixels for pixels, _ in eval_batches(data, CPU, batch_size=16)])
    torch.testing.assert_close(pixels, data.images.float() / 255)
