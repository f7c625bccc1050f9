"""Batches made by tensors alone are those that a run without a recording has."""

from pathlib import Path

import pytest
import torch

from deit_core.data import TrainBatches, load_data
from deit_core.data.device_batches import DeviceBatches
from deit_core.spec import AugmentSpec, DataSpec

CPU = torch.device("cpu")
DATA = DataSpec(source="digits", img_size=16)
RECIPES = {
    "cut": AugmentSpec(crop_padding=2),
    "mixup": AugmentSpec(crop_padding=1, mixup_alpha=0.8),
    "CutMix": AugmentSpec(crop_padding=1, cutmix_alpha=1.0, mixup_prob=0.5),
    "all": AugmentSpec(
        crop_padding=1,
        resized_crop=0.3,
        randaugment_ops=2,
        color_jitter=0.3,
        random_erasing=0.5,
        mixup_alpha=0.8,
        cutmix_alpha=1.0,
        repeated_aug=3,
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_they_are_the_same_in_every_epoch(name: str) -> None:
    recipe = RECIPES[name]
    data = load_data(DATA, Path("data"))
    plain, planned = (TrainBatches(data.train, 300, recipe, 5, CPU) for _ in range(2))
    on_device = DeviceBatches(planned)
    for epoch, first_step in ((0, 0), (3, 1), (1, 0)):
        pairs = zip(
            plain.epoch(epoch, first_step=first_step), on_device.epoch(epoch, first_step=first_step), strict=True
        )
        for step, (batch, plan) in enumerate(pairs, first_step):
            pixels, labels, mix = on_device.make(torch.tensor([step]), is_mixed=plan.is_mixed)
            assert torch.equal(labels, batch.labels)
            assert (pixels - batch.pixels).abs().max() <= (1.01 / 255 if name == "all" else 1e-6)
            assert (mix is None) == (batch.mix is None)
            if mix is not None and batch.mix is not None:
                assert torch.equal(mix.others, batch.mix.others)
                torch.testing.assert_close(mix.targets(labels, 10), batch.mix.targets(labels, 10))
                assert torch.equal(mix.stronger(labels), batch.mix.stronger(labels))
