"""ResNet-9."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F

from deit_core.models.cnn import ResNet9


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_pooling_before_relu_gives_the_bits_of_pooling_after_it(layout: torch.memory_format) -> None:
    """In both directions, for flat images too, where all numbers of a window are equal."""
    torch.manual_seed(0)
    model = ResNet9(in_chans=1, num_classes=4, width=8).train().to(memory_format=layout)  # type: ignore[call-overload]
    usual = deepcopy(model)
    for layer in (usual.layer1, usual.layer2, usual.layer3):
        layer[0][2], layer[1] = layer[1], layer[0][2]
    pixels = torch.randn(8, 1, 18, 20)
    pixels[:4] = pixels[:4, :, :1, :1]
    logits = [one(pixels) for one in (model, usual)]
    for one in logits:
        F.cross_entropy(one, torch.arange(8) % 4).backward()
    assert torch.equal(*logits)
    for parameter, other in zip(model.parameters(), usual.parameters(), strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, other.grad)


def test_names_of_tensors_are_those_of_saved_files() -> None:
    names = ResNet9().state_dict().keys()
    layers = ("stem", "layer1.0", "layer1.2.body.0", "layer1.2.body.1", "layer2.0", "layer3.0", "layer3.2.body.0")
    assert {f"{layer}.0.weight" for layer in layers} <= names
    assert {f"{layer}.1.running_mean" for layer in layers} <= names
