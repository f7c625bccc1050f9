"""The plain CNN: two convolutions, the same answer wherever a pattern stands, and it is read back from a file."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from deit_core.analysis.cost import flops_per_image
from deit_core.attention import grad_cam
from deit_core.models import PlainCnn, ResNet9, build_model
from deit_core.models.foreign.foreign_model import read_foreign
from deit_core.results.pretrained import write_safetensors
from deit_core.spec import PlainCnnSpec, RunSpec

SPEC = RunSpec(model=PlainCnnSpec(width=5))


def test_it_has_two_convolutions_and_one_linear_layer() -> None:
    layers = [module for module in PlainCnn(1, 10, 4).modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.Conv2d, nn.Linear]


@torch.no_grad()
def test_a_pattern_gets_one_answer_wherever_it_stands() -> None:
    model, canvas = PlainCnn(1, 10, 4).eval(), torch.zeros(2, 1, 24, 24)
    pattern = torch.rand(6, 6)
    canvas[0, 0, 4:10, 4:10] = canvas[1, 0, 12:18, 8:14] = pattern
    first, second = model(canvas)
    torch.testing.assert_close(first, second)


def test_its_operations_are_counted_as_torch_counts_them() -> None:
    model = build_model(SPEC, in_chans=3, num_classes=7).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, SPEC.data.img_size, SPEC.data.img_size))
    assert flops_per_image(SPEC, 3, 7) == counter.get_total_flops()


def test_grad_cam_reads_its_stages() -> None:
    model, images = PlainCnn(1, 10, 4).eval(), torch.rand(2, 1, 16, 16)
    for stage, stride in PlainCnn.strides.items():
        cells = grad_cam(model, images, layer=stage)
        torch.testing.assert_close(
            cells[:, ::stride, ::stride].repeat_interleave(stride, 1).repeat_interleave(stride, 2), cells
        )


@pytest.mark.parametrize("kind", [PlainCnn, ResNet9])
@torch.no_grad()
def test_a_file_of_its_weights_is_read_back(kind: type[PlainCnn], tmp_path: Path) -> None:
    from deit_core.models.foreign.published import Published

    model, images = kind(1, 10, 4).eval(), torch.rand(2, 1, 16, 16)
    note = Published(img_size=(16, 16), mean=(0.5,), std=(0.5,)).as_note()
    write_safetensors(model, note, tmp_path / "it.safetensors")
    found = read_foreign(tmp_path / "it.safetensors")
    assert type(found.model) is kind
    torch.testing.assert_close(found.model(images), model(images))
