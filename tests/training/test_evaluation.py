"""What a split's evaluation reports of each output, and of their late fusion."""

import math

import pytest
import torch

from deit_core.data import Split
from deit_core.models import VisionTransformer
from deit_core.training import evaluate, head_logits


@pytest.fixture
def deit() -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(8, 4, 1, 3, embed_dim=16, depth=1, num_heads=2, distilled=True).eval()
    torch.nn.init.normal_(model.head.weight)
    torch.nn.init.normal_(model.head_dist.weight)
    return model


def test_late_fusion_is_the_mean_of_logits_and_the_mean_of_probabilities(deit: VisionTransformer) -> None:
    found = head_logits(deit, torch.randn(5, 1, 8, 8))
    assert list(found) == ["mean", "class", "distillation", "mean_softmax"]
    torch.testing.assert_close(found["mean"], (found["class"] + found["distillation"]) / 2)
    chances = (found["class"].softmax(-1) + found["distillation"].softmax(-1)) / 2
    torch.testing.assert_close(found["mean_softmax"].softmax(-1), chances)


def test_fusion_of_probabilities_that_underflow_stays_finite(deit: VisionTransformer) -> None:
    with torch.no_grad():
        deit.head.weight.mul_(1000)
        deit.head_dist.weight.mul_(1000)
    split = Split(torch.randint(0, 256, (9, 1, 8, 8), dtype=torch.uint8), torch.arange(9) % 3)
    found = evaluate(deit, split, lambda pixels: pixels, torch.device("cpu"), "test")
    assert {name for name in found if "accuracy" in name} == {
        "test_accuracy",
        "test_accuracy_class",
        "test_accuracy_distillation",
        "test_accuracy_mean_softmax",
    }
    assert all(math.isfinite(value) for value in found.values())


def test_a_single_output_is_reported_once() -> None:
    model = VisionTransformer(8, 4, 1, 3, embed_dim=16, depth=1, num_heads=2)
    split = Split(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    found = evaluate(model, split, lambda pixels: pixels, torch.device("cpu"), "val")
    assert found.keys() == {"val_loss", "val_accuracy"}


def test_where_memory_is_short_batches_become_smaller_and_the_scores_stay(deit: VisionTransformer) -> None:
    split = Split(torch.randint(0, 256, (150, 1, 8, 8), dtype=torch.uint8), torch.arange(150) % 3)
    whole = evaluate(deit, split, lambda pixels: pixels, torch.device("cpu"), "val")
    sizes = []

    def normalize(pixels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(pixels))
        if len(pixels) > 40:
            raise torch.OutOfMemoryError
        return pixels

    assert evaluate(deit, split, normalize, torch.device("cpu"), "val") == pytest.approx(whole)
    assert sizes == [128, 64, 32, 32, 32, 32, 22]


def test_what_does_not_fit_at_all_is_an_error(deit: VisionTransformer) -> None:
    split = Split(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))

    def normalize(_: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        evaluate(deit, split, normalize, torch.device("cpu"), "val")
