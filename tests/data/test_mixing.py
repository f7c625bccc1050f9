"""Mixup and CutMix: timm's formulas, timm's distributions, and the labels that belong to the pixels."""

import numpy as np
import pytest
import torch
from torch import nn

import deit_core.torchvision_ops  # noqa: F401  # before timm, which imports torchvision
from deit_core.data import Split, TrainBatches
from deit_core.data.augment.mixup import Mix, MixDraw, draw_mixes, mix
from deit_core.spec import AugmentSpec

from timm.data.mixup import Mixup, mixup_target  # isort: skip
from timm.loss import SoftTargetCrossEntropy  # isort: skip

BOTH = AugmentSpec(mixup_alpha=0.8, cutmix_alpha=1.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_targets_and_loss_are_timms(share: float, smoothing: float) -> None:
    """Smoothing the mixed labels is mixing smoothed labels, as the original recipe does."""
    labels = torch.tensor([0, 3, 3, 9, 1])
    logits = torch.randn(5, 10, generator=torch.Generator().manual_seed(0))
    _, mixed = mix(torch.zeros(5, 1, 4, 4), labels, MixDraw(share))
    theirs = mixup_target(labels, 10, share, smoothing)
    targets = mixed.targets(labels, 10)
    torch.testing.assert_close(targets * (1 - smoothing) + smoothing / 10, theirs)
    loss = nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, targets)
    torch.testing.assert_close(loss, SoftTargetCrossEntropy()(logits, theirs))


def test_the_stronger_label_is_that_of_the_larger_share() -> None:
    labels, others = torch.tensor([0, 1, 2]), torch.tensor([2, 1, 0])
    assert torch.equal(Mix(others, 0.7).stronger(labels), labels)
    assert torch.equal(Mix(others, 0.5).stronger(labels), labels)
    assert torch.equal(Mix(others, 0.3).stronger(labels), others)


def test_mixup_is_a_blend_with_the_reversed_batch() -> None:
    pixels = torch.rand(4, 3, 8, 8)
    mixed, _ = mix(pixels, torch.arange(4), MixDraw(0.7))
    torch.testing.assert_close(mixed[0], 0.7 * pixels[0] + 0.3 * pixels[3])
    torch.testing.assert_close(mixed[2], 0.7 * pixels[2] + 0.3 * pixels[1])


def test_cutmix_shares_are_counted_in_pixels() -> None:
    """Black images and white ones: the share of black that is left is the share of the own label."""
    pixels = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 16, 16)
    spec = AugmentSpec(cutmix_alpha=1.0)
    for draw in draw_mixes(200, 16, spec, seed=0, epoch=0):
        assert draw is not None
        mixed, labels = mix(pixels, torch.tensor([0, 1]), draw)
        assert labels.share == pytest.approx(1 - mixed[0].mean().item(), abs=1e-6)
        torch.testing.assert_close(mixed[1], 1 - mixed[0])
    assert pixels[0].max() == 0, "the batch itself stays as it was"


@pytest.mark.parametrize(
    "spec", [BOTH, AugmentSpec(mixup_alpha=0.2), AugmentSpec(cutmix_alpha=1.0, mixup_prob=0.5)], ids=str
)
def test_shares_are_distributed_as_timms(spec: AugmentSpec) -> None:
    """Also how often a batch is mixed at all, and how often by CutMix, through the share of plain batches."""
    count, size = 4000, 16
    np.random.seed(0)
    theirs = Mixup(spec.mixup_alpha, spec.cutmix_alpha, prob=spec.mixup_prob, switch_prob=0.5, num_classes=2)
    batch = torch.zeros(2, 1, size, size)
    expected = np.sort([theirs._mix_batch(batch) for _ in range(count)])
    draws = draw_mixes(count, size, spec, seed=0, epoch=0)
    found = np.sort([1.0 if draw is None else draw.share for draw in draws])
    values = np.linspace(0, 1, 41)
    gap = np.abs(np.searchsorted(found, values, "right") - np.searchsorted(expected, values, "right")).max() / count
    assert gap < 1.95 * (2 / count) ** 0.5, "Kolmogorov and Smirnov's bound, passed once in a thousand"


def test_how_often_a_batch_is_mixed_and_cut() -> None:
    spec = AugmentSpec(mixup_alpha=0.8, cutmix_alpha=1.0, mixup_prob=0.6, mixup_switch_prob=0.25)
    draws = draw_mixes(4000, 16, spec, seed=1, epoch=0)
    mixed = [draw for draw in draws if draw is not None]
    assert len(mixed) / 4000 == pytest.approx(0.6, abs=0.03)
    assert sum(draw.box is not None for draw in mixed) / len(mixed) == pytest.approx(0.25, abs=0.03)


def test_draws_are_a_function_of_seed_and_epoch() -> None:
    first = draw_mixes(20, 16, BOTH, seed=3, epoch=4)
    np.random.rand(3)
    assert first == draw_mixes(20, 16, BOTH, seed=3, epoch=4)
    assert first != draw_mixes(20, 16, BOTH, seed=3, epoch=5)
    assert first != draw_mixes(20, 16, BOTH, seed=4, epoch=4)


def test_a_batch_carries_the_labels_that_were_mixed_in() -> None:
    """Each image is of one shade, its label's, so the mean of mixed pixels says how both labels must be weighed."""
    shades = torch.arange(0, 250, 5, dtype=torch.uint8)
    data = Split(shades.view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous(), torch.arange(50))
    batches = list(TrainBatches(data, 10, AugmentSpec(crop_padding=0, **MIXING), 0, torch.device("cpu")).epoch(0))
    assert any(batch.mix is not None for batch in batches)
    for batch in batches:
        assert batch.mix is not None
        weights = batch.mix.targets(batch.labels, 50)
        torch.testing.assert_close(batch.pixels.mean((1, 2, 3)), weights @ (shades.float() / 255))


MIXING = {"mixup_alpha": 0.8, "cutmix_alpha": 1.0}
