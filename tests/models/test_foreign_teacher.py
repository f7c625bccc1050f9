"""Files of others as teachers: they say what their own library says, adapt what they see, and else are one sentence."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from deit_core.errors import CheckpointError
from deit_core.events import EpochDone, RunFinished
from deit_core.models import find_teacher, load_foreign, load_teacher
from deit_core.models.foreign.published import Published
from deit_core.models.teachers import teacher_model
from deit_core.spec import DataSpec, ExperimentSpec, TorchvisionSpec, VisionTransformerSpec, replace
from deit_core.torchvision_ops import torchvision
from deit_core.training import train
from deit_core.training.estimate import estimate_durations

from timm.models import deit as timm_deit  # isort: skip

pytestmark = pytest.mark.usefixtures("plain")
TEN = tuple("0123456789")
DATA = DataSpec(source="digits", img_size=16)
MEAN, STD = (torch.tensor(values).view(-1, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))


def timms(**changes: object) -> nn.Module:
    torch.manual_seed(0)
    size = {"img_size": 32, "patch_size": 16, "embed_dim": 192, "depth": 1, "num_heads": 3, "num_classes": 10}
    model = timm_deit.VisionTransformerDistilled(**size | changes)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


def resnet(num_classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = torchvision.models.resnet18(num_classes=num_classes).eval()
    return model


def enlarged(pixels: Tensor, size: int) -> Tensor:
    return F.interpolate(pixels, (size, size), mode="bilinear", antialias=True).expand(-1, 3, -1, -1)


@pytest.mark.parametrize("name", ["nowhere", "long" * 75])
def test_a_teacher_that_is_nowhere_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is neither a run in .* nor the path of a checkpoint"):
        find_teacher(name, tmp_path)


def test_a_vit_of_timm_says_what_timm_says_of_grey_pixels_of_any_size(tmp_path: Path) -> None:
    torch.save({"model": timms().state_dict()}, tmp_path / "deit.pth")
    pixels = torch.rand(2, 1, 16, 16)
    teacher = load_teacher(tmp_path / "deit.pth", TEN, DATA)
    with torch.no_grad():
        expected = timms()((enlarged(pixels, 32) - MEAN) / STD)
    torch.testing.assert_close(teacher(pixels), expected, atol=1e-4, rtol=1e-4)
    architecture = teacher_model(tmp_path / "deit.pth", teacher)
    assert isinstance(architecture, VisionTransformerSpec)
    assert (architecture.num_heads, architecture.distilled, architecture.mlp_ratio) == (3, True, 4)


@pytest.mark.parametrize("old", [False, True], ids=["new", "without counters"])
def test_a_network_of_torchvision_is_known_by_its_tensors(old: bool, tmp_path: Path) -> None:
    state = {k: v for k, v in resnet().state_dict().items() if not (old and k.endswith("num_batches_tracked"))}
    torch.save(state, tmp_path / "net.pth")
    pixels = torch.rand(2, 1, 16, 16)
    teacher = load_teacher(tmp_path / "net.pth", TEN, DATA)
    with torch.no_grad():
        expected = resnet()((enlarged(pixels, 224) - MEAN) / STD)
    torch.testing.assert_close(teacher(pixels), expected, atol=1e-4, rtol=1e-4)
    assert not teacher.model.training
    assert teacher_model(tmp_path / "net.pth", teacher) == TorchvisionSpec(name="resnet18")


def test_a_scripts_options_beside_the_weights_are_no_hindrance(tmp_path: Path) -> None:
    """As torchvision's reference training and DeiT's own main.py save them."""
    options = Namespace(model="resnet18", lr=0.1, output_dir=".", betas=[0.9, 0.999], resume=None)
    torch.save({"model": resnet().state_dict(), "args": options, "epoch": 89}, tmp_path / "model_89.pth")
    teacher = load_teacher(tmp_path / "model_89.pth", TEN, DATA)
    assert torch.equal(teacher.model.state_dict()["network.fc.weight"], resnet().state_dict()["fc.weight"])


def test_what_a_hubs_config_says_goes_before_what_is_customary(tmp_path: Path) -> None:
    """Eight heads where the width is published with three, and pixels from -1 to 1."""
    file = tmp_path / "model.safetensors"
    save_file(timms(num_heads=8).state_dict(), file)
    assert load_teacher(file, TEN, DATA).model.num_heads == 3
    config = {"model_args": {"num_heads": 8}, "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = timms(num_heads=8)((pixels - 0.5) / 0.5)
    torch.testing.assert_close(load_teacher(file, TEN, DATA)(pixels), expected, atol=1e-4, rtol=1e-4)
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 6}))  # as Hugging Face has it
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.4] * 3, "image_std": [0.3] * 3}))
    teacher = load_teacher(file, TEN, DATA)
    assert (load_foreign(file).num_heads, teacher.mean.flatten().tolist()) == (6, pytest.approx([0.4] * 3))


@pytest.mark.parametrize(
    ("config", "classes"),
    [
        ({"id2label": {"1": "dog", "0": "cat", "2": "cow"}}, ("cat", "dog", "cow")),
        ({"pretrained_cfg": {"label_names": ["cat", "dog"]}}, ("cat", "dog")),
        ({"label_names": {"0": "cat", "1": "dog"}}, ("cat", "dog")),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, ()),
        ({"id2label": {"0": "cat", "2": "dog"}}, ()),
        ({}, ()),
    ],
)
def test_a_config_says_the_names_of_the_classes(
    config: dict[str, object], classes: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "model.safetensors"
    save_file(timms().state_dict(), file)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Published.of(file).classes == classes


def test_a_vit_that_no_spec_can_describe_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "wide.pth"
    torch.save(timms(mlp_ratio=16).state_dict(), file)
    with pytest.raises(CheckpointError, match=r"has a network that no spec can describe.*mlp_ratio"):
        teacher_model(file, load_teacher(file, TEN, DATA))


def test_what_cannot_teach_is_one_sentence(tmp_path: Path) -> None:
    def saved(name: str, state: object) -> Path:
        torch.save(state, tmp_path / name)
        return tmp_path / name

    wide = resnet().state_dict() | {"conv1.weight": torch.zeros(64, 3, 5, 5)}
    for file, words in {
        saved("1000.pth", timms(num_classes=1000).state_dict()): "has 1000 classes and the student 10; train it",
        saved("cnn1000.pth", resnet(1000).state_dict()): "has 1000 classes and the student 10; train it",
        saved("grey.pth", timms(in_chans=1).state_dict()): "reads 1 channels, and no file says",
        saved("conv.pth", nn.Conv2d(1, 2, 3).state_dict()): "neither a ViT or DeiT .* nor a ResNet or RegNet",
        saved("wide.pth", wide): "matches none of torchvision's resnet18, resnet50",
        saved("list.pth", [1, 2]): "contains no tensors by name",
    }.items():
        with pytest.raises(CheckpointError, match=words) as caught:
            load_teacher(file, TEN, DATA)
        assert "\n" not in str(caught.value)
        assert str(file) in str(caught.value)


def test_a_student_learns_from_one_and_its_logits_are_kept(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    torch.save({"model": timms().state_dict()}, tmp_path / "deit.pth")
    changes = {"distillation.teacher": str(tmp_path / "deit.pth"), "distillation.accept_any_teacher": True}
    spec = replace(tiny_trio.runs[2], changes | {"optim.epochs": 1, "augment.crop_padding": 0})
    events = list(train(spec, run_dir=tmp_path / "runs" / "a"))
    assert isinstance(events[-1], RunFinished)
    epoch = next(event for event in events if isinstance(event, EpochDone))
    assert "train_agreement" in epoch.metrics
    second = next(train(spec, run_dir=tmp_path / "runs" / "b"))
    assert "97% filled" in second.teacher_logits  # type: ignore[union-attr]  # 35 of 35.9 batches are whole


def test_how_long_it_takes_is_estimated(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    torch.save({"model": timms().state_dict()}, tmp_path / "deit.pth")
    spec = replace(tiny_trio.runs[2], {"distillation.teacher": str(tmp_path / "deit.pth")})
    (duration_s,) = estimate_durations(spec, tmp_path / "runs", 1).values()
    assert 0 < duration_s < 600


def test_the_heads_that_are_stated_are_those_of_an_estimate_too(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    """At a width that is published with no number of heads."""
    torch.save(timms(embed_dim=128, num_heads=4).state_dict(), tmp_path / "deit.pth")
    stated = {"distillation.teacher": str(tmp_path / "deit.pth"), "distillation.teacher_num_heads": 4}
    (duration_s,) = estimate_durations(replace(tiny_trio.runs[2], stated), tmp_path / "runs", 1).values()
    assert duration_s > 0


def test_logits_that_are_not_finite_at_the_start_are_told_as_such(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    """Not as a teacher whose classes may stand in another order."""
    state = timms().state_dict()
    for name in ("norm.weight", "head.weight"):
        state[name].fill_(3e38)
    torch.save(state, tmp_path / "deit.pth")
    spec = replace(tiny_trio.runs[2], {"distillation.teacher": str(tmp_path / "deit.pth")})
    with pytest.raises(CheckpointError, match="logits that are not finite numbers"):
        list(train(spec, run_dir=tmp_path / "run"))
