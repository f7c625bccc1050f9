"""timm's configs: what its own `save_for_hf` writes gives its own logits, or is refused by the name of the field."""

import inspect
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from deit_core import torchvision_ops  # noqa: F401  # before timm, which imports torchvision
from deit_core.errors import CheckpointError
from deit_core.models import build_model, initialise, load_foreign, load_teacher
from deit_core.models.foreign.config_fields import (
    CONFIGS,
    TIMM_CNN_ARGS,
    TIMM_HEADS,
    TIMM_PRETRAINED,
    TIMM_VIT,
    TIMM_VIT_ARGS,
)
from deit_core.models.foreign.published import Published
from deit_core.spec import DataSpec, RunSpec

import timm  # isort: skip
from timm.models._hub import save_for_hf  # isort: skip
from timm.models._pretrained import PretrainedCfg  # isort: skip
from timm.models.vision_transformer import VisionTransformer as TheirVit  # isort: skip

SEVEN = tuple("0123456")
DATA = DataSpec(source="digits", img_size=32)
VIT = "vit_tiny_patch16_224"


def make(name: str = VIT, **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    size = {"depth": 2, "img_size": 32} if "vit" in name or "deit" in name else {}
    model: nn.Module = timm.create_model(name, **size | {"num_classes": 7} | changes)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1 if parameter.ndim < 4 else 0.02)
    return model.eval()


def saved(model: nn.Module, folder: Path, **options: Any) -> Path:
    save_for_hf(model, folder, safe_serialization=True, **options)
    return folder / "model.safetensors"


def assert_same(file: Path, model: nn.Module, size: tuple[int, int] = (32, 32)) -> None:
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(load_foreign(file)(images), model(images), atol=1e-5, rtol=1e-5)


def change(file: Path, part: str, values: dict[str, Any]) -> None:
    """Put values into the config beside a file, or into a part of it."""
    config = file.with_name("config.json")
    content = json.loads(config.read_text())
    (content[part] if part else content).update(values)
    config.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_heads": 12},
        {"embed_dim": 384},  # timm's tiny has three heads at any width
        {"qkv_bias": False},
        {"patch_size": 8},
        {"mlp_ratio": 3},
        {"dynamic_img_size": True},
        {"act_layer": "gelu", "norm_layer": "layernorm"},
        {"init_values": 1e-5},
        {"reg_tokens": 3},
        {"no_embed_class": True},
        {"reg_tokens": 1, "no_embed_class": True, "init_values": 0.1},
        {"global_pool": "avg"},
        {"global_pool": "avg", "fc_norm": True, "reg_tokens": 2},
    ],
    ids=str,
)
def test_what_a_config_says_is_done(options: dict[str, Any], tmp_path: Path) -> None:
    model = make(**options)
    assert_same(saved(model, tmp_path), model)


@pytest.mark.parametrize(
    "name",
    [
        "deit_tiny_distilled_patch16_224",
        "vit_base_patch16_224_miil",
        "deit3_small_patch16_224",
        "deit3_medium_patch16_224",
        "deit3_base_patch16_384",
        "deit3_huge_patch14_224",
        "vit_small_patch14_dinov2",
        "vit_base_patch14_reg4_dinov2",
    ],
)
def test_other_plain_names_are_read(name: str, tmp_path: Path) -> None:
    side = 28 if "patch14" in name else 32
    model = make(name, img_size=side, init_values=0.5) if "3" in name or "dinov2" in name else make(name)
    assert_same(saved(model, tmp_path), model, (side, side))


def test_a_giant_dinov2_has_another_mlp(tmp_path: Path) -> None:
    file = saved(make("vit_giant_patch14_dinov2", embed_dim=48, num_heads=4, img_size=28), tmp_path)
    with pytest.raises(CheckpointError, match=r"architecture .* not a plain ViT"):
        load_foreign(file)


@pytest.mark.parametrize("size", [(32, 128), (64, 16), (48, 48)])
def test_the_grid_is_the_configs(size: tuple[int, int], tmp_path: Path) -> None:
    model = make(img_size=size)
    file = saved(model, tmp_path)
    assert_same(file, model, size)
    assert load_foreign(file).grid_size == (size[0] // 16, size[1] // 16)
    if size[0] != size[1]:
        with pytest.raises(CheckpointError, match="but images are square here"):
            load_teacher(file, SEVEN, DATA)
    change(file, "model_args", {"img_size": [16, 16]})
    with pytest.raises(CheckpointError, match=r"1 x 1 patches, where config.json .* says model_args\.img_size"):
        load_foreign(file)


def test_a_run_starts_from_a_grid_that_is_not_square(tmp_path: Path) -> None:
    model = make(img_size=(32, 128))
    size = {"embed_dim": 192, "depth": 2, "num_heads": 3, "mlp_ratio": 4.0, "patch_size": 16}
    spec = RunSpec.model_validate(
        {"data": DATA, "model": {"family": "vit", **size}, "initial_checkpoint": str(saved(model, tmp_path))}
    )
    ours = build_model(spec, in_chans=3, num_classes=7)
    initialise(ours, spec, SEVEN, tmp_path / "runs")
    model.set_input_size((32, 32))
    torch.testing.assert_close(ours.pos_embed, model.pos_embed)


REFUSED = {  # each a model of timm's that computes something else from tensors of which some would fit
    "global_pool": {"global_pool": "avg", "fc_norm": False},
    "act_layer": {"act_layer": "relu"},
    "norm_layer": {"norm_layer": "rmsnorm"},
    "qk_norm": {"qk_norm": True},
    "pre_norm": {"pre_norm": True},
    "final_norm": {"final_norm": False},
    "fc_norm": {"fc_norm": True},
    "class_token": {"class_token": False, "global_pool": "avg"},
    "scale_mlp_norm": {"scale_mlp_norm": True},
    "proj_bias": {"proj_bias": False},
    "dynamic_img_pad": {"dynamic_img_pad": True},
    "pool_include_prefix": {"pool_include_prefix": True},
}


@pytest.mark.parametrize("field", REFUSED)
def test_another_function_is_refused_by_the_name_of_its_field(field: str, tmp_path: Path) -> None:
    file = saved(make(**REFUSED[field]), tmp_path)
    if field in ("class_token", "fc_norm"):  # timm says the pool first
        field = f"global_pool|{field}"
    for load in (load_foreign, lambda path: load_teacher(path, SEVEN, DATA)):
        with pytest.raises(CheckpointError, match=rf"config.json next to .* says (model_args\.)?({field}) ") as caught:
            load(file)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("", {"global_pool": "avg"}, "global_pool avg, and the tensors have no norm after it"),
        ("", {"global_pool": "max"}, 'global_pool "max"'),
        ("model_args", {"reg_tokens": 4}, r"reg_tokens 4, but the tensors have 0"),
        ("model_args", {"init_values": 1e-5}, r"init_values 1e-05, but the tensors have no LayerScale"),
        ("model_args", {"no_embed_class": True}, "no_embed_class True, but the tensors have positions of the class"),
        ("model_args", {"fc_norm": True}, r"fc_norm True, but the tensors have no norm after the pool"),
        ("", {"architecture": "vit_base_patch16_clip_quickgelu_224"}, "architecture .* not a plain ViT"),
        ("", {"architecture": "vit_base_patch16_rope_224"}, "architecture .* not a plain ViT"),
        ("", {"num_classes": 5}, "num_classes 5"),
        ("", {"tempered": 1}, "tempered 1, an unknown field"),
        ("", {"label_names": ["cat", "dog"]}, "names 2 classes"),
        ("", {"model_args": 3}, "model_args 3"),
        ("model_args", {"window": 7}, r"model_args\.window 7, an unknown field"),
        ("model_args", {"depth": 3}, r"model_args\.depth 3"),
        ("model_args", {"mlp_ratio": 2}, r"model_args\.mlp_ratio 2"),
        ("model_args", {"num_heads": "many"}, r'model_args\.num_heads "many"'),
        ("model_args", {"num_heads": 5}, "choose another number"),
        ("pretrained_cfg", {"label_offset": 1}, r"pretrained_cfg\.label_offset 1"),
        ("pretrained_cfg", {"mean": ["grey"]}, r"pretrained_cfg\.mean"),
        ("pretrained_cfg", {"gamma": 2.2}, r"pretrained_cfg\.gamma 2\.2, an unknown field"),
    ],
)
def test_a_value_that_is_unknown_or_not_the_tensors_is_refused(
    part: str, values: dict[str, Any], words: str, tmp_path: Path
) -> None:
    file = saved(make(), tmp_path)
    change(file, part, values)
    for load in (load_foreign, lambda path: load_teacher(path, SEVEN, DATA)):
        with pytest.raises(CheckpointError, match=words) as caught:
            load(file)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("config", [{"global_pool": "avg"}, {"model_args": {"global_pool": "avg", "fc_norm": False}}])
def test_the_least_that_a_config_can_say_is_heard(config: dict[str, Any], tmp_path: Path) -> None:
    save_file(make(global_pool="avg", fc_norm=False).state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="global_pool"):
        load_foreign(tmp_path / "model.safetensors")


def test_a_config_of_old_has_its_pixels_beside_the_rest(tmp_path: Path) -> None:
    save_file(make().state_dict(), tmp_path / "model.safetensors")
    config = {"architecture": VIT, "num_classes": 7, "input_size": [3, 32, 32], "mean": [0.1] * 3, "std": [0.2] * 3}
    (tmp_path / "config.json").write_text(json.dumps(config | {"global_pool": "token", "crop_pct": 0.9}))
    said = Published.of(tmp_path)
    assert (said.mean, said.std, said.img_size, said.num_heads) == ((0.1,) * 3, (0.2,) * 3, (32, 32), 3)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_cnn_is_shown_what_its_config_says(name: str, tmp_path: Path) -> None:
    model = make(name)
    normalised = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": (3, 64, 64)}
    teacher = load_teacher(saved(model, tmp_path, data_config=normalised), SEVEN, DATA)
    assert teacher.img_size == 64
    pixels = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(normalised[name]).view(-1, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        torch.testing.assert_close(teacher(pixels), model((pixels - mean) / std), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"global_pool": "max"}, 'global_pool "max"'),
        ({"output_stride": 16}, "output_stride 16"),
        ({"act_layer": "silu"}, 'act_layer "silu"'),
    ],
    ids=str,
)
def test_a_cnn_that_computes_something_else_is_refused(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_teacher(saved(make("resnet18", **options), tmp_path), SEVEN, DATA)


def test_a_cnn_with_a_part_that_has_no_tensors_is_refused(tmp_path: Path) -> None:
    file = saved(make("resnet18"), tmp_path)
    change(file, "model_args", {"aa_layer": "blurpool"})
    with pytest.raises(CheckpointError, match=r'model_args\.aa_layer "blurpool"'):
        load_teacher(file, SEVEN, DATA)


def test_a_cnn_of_another_name_or_size_is_refused(tmp_path: Path) -> None:
    file = saved(make("resnet18"), tmp_path)
    change(file, "pretrained_cfg", {"input_size": [3, 64, 96]})
    with pytest.raises(CheckpointError, match="images of 64 x 96 pixels"):
        load_teacher(file, SEVEN, DATA)
    change(file, "", {"architecture": "resnetblur18"})
    with pytest.raises(CheckpointError, match=r"architecture .* not a ResNet-18 or ResNet-50"):
        load_teacher(file, SEVEN, DATA)


def test_every_argument_of_timms_vit_is_known() -> None:
    arguments = inspect.signature(TheirVit.__init__).parameters.keys() - {"self", "device", "dtype"}
    refused = {"embed_layer", "block_fn", "mlp_layer", "attn_layer"}  # classes, of which a config says a name at most
    assert arguments - refused <= TIMM_VIT_ARGS.keys()
    assert not refused & TIMM_VIT_ARGS.keys()


def test_every_field_of_timms_pretrained_cfg_is_known() -> None:
    assert {field.name for field in fields(PretrainedCfg)} - {"state_dict"} <= TIMM_PRETRAINED.keys()


def test_the_names_that_are_taken_for_plain_are_timms_plain_ones() -> None:
    """Every ViT and DeiT of timm's by name, made without memory for its tensors, and of one block: all are alike."""
    modules = ("timm.models.vision_transformer", "timm.models.deit")
    for name in timm.list_models(["vit_*", "deit_*", "deit3_*"]):
        found = TIMM_VIT.fullmatch(name)
        if timm.models.model_entrypoint(name).__module__ not in modules:
            assert not found, name
        elif found:
            model = timm.create_model(name, device="meta", depth=1)
            block = model.blocks[0]
            assert block.attn.num_heads == TIMM_HEADS[found["size"]], name
            assert model.global_pool == "token"
            assert isinstance(model.fc_norm, nn.Identity)
            assert type(block.mlp.act) is nn.GELU
            assert {module.eps for module in model.modules() if isinstance(module, nn.LayerNorm)} == {1e-6}
            assert type(block.mlp).__name__ == "Mlp", name
            assert model.has_class_token
            assert "norm_pre.weight" not in model.state_dict()


def test_a_field_has_one_meaning_and_one_place() -> None:
    for origin, rules in CONFIGS.items():
        for name, rule in rules.items():
            assert rule.use == "only" or not rule.values, (origin, name)
    assert TIMM_CNN_ARGS["global_pool"].values == ("avg",)
