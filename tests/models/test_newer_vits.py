"""DeiT III, DINOv2 with and without registers, and a fine-tuned MAE give the logits of timm and of Hugging Face."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from deit_core import torchvision_ops  # noqa: F401  # before timm, which imports torchvision
from deit_core.errors import CheckpointError
from deit_core.models import VisionTransformer, build_model, initialise, load_foreign, load_teacher
from deit_core.models.foreign.config_fields import HUGGING_FACE, HUGGING_FACE_PIXELS
from deit_core.models.foreign.foreign_teacher import spec_of
from deit_core.spec import DataSpec, RunSpec, VisionTransformerSpec
from deit_core.training.optim import parameter_groups

import timm  # isort: skip
import transformers  # isort: skip

KINDS: dict[str, tuple[str, dict[str, Any]]] = {  # timm's name, and what of it is made small
    "deit-3": ("deit3_small_patch16_224", {"img_size": 48}),
    "dinov2": ("vit_small_patch14_dinov2", {"img_size": 42}),
    "registers": ("vit_small_patch14_reg4_dinov2", {"img_size": 42}),
    "mae": ("vit_base_patch16_224", {"img_size": 48, "global_pool": "avg", "embed_dim": 96, "num_heads": 12}),
}
FIVE = tuple("abcde")
SIZE = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "num_labels": 5}


def random_weights(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1 if parameter.ndim < 4 else 0.02)
    return model.eval()


def theirs(kind: str, **changes: Any) -> nn.Module:
    name, small = KINDS[kind]
    return random_weights(timm.create_model(name, **small | {"num_classes": 7, "depth": 3} | changes))


def load(model: nn.Module, folder: Path, **options: Any) -> VisionTransformer:
    torch.save(model.state_dict(), folder / "theirs.pth")
    return load_foreign(folder / "theirs.pth", num_heads=model.blocks[0].attn.num_heads, **options)


def assert_close(ours: nn.Module, model: nn.Module, side: int, channels: int = 3) -> None:
    images = torch.randn(2, channels, side, side)
    with torch.no_grad():
        output = model(images)
        torch.testing.assert_close(ours(images), getattr(output, "logits", output), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_timm_gives_timms_logits(kind: str, tmp_path: Path) -> None:
    model = theirs(kind)
    ours = load(model, tmp_path)
    assert_close(ours, model, ours.img_size[0])
    assert ours.num_prefix_tokens == model.num_prefix_tokens
    assert [name for name in ours.state_dict() if name not in model.state_dict()] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("patches", [2, 5])
def test_another_size_is_timms(kind: str, patches: int, tmp_path: Path) -> None:
    model = theirs(kind)
    side = patches * model.patch_embed.patch_size[0]
    ours = load(model, tmp_path, img_size=side)
    model.set_input_size((side, side))
    assert_close(ours, model, side)


@pytest.mark.parametrize(
    "changes",
    [
        {"reg_tokens": 1},
        {"reg_tokens": 3, "no_embed_class": True},
        {"global_pool": "avg", "reg_tokens": 2, "init_values": 0.1},
        {"qkv_bias": False, "init_values": 0.1},
    ],
    ids=str,
)
def test_every_part_by_itself(changes: dict[str, Any], tmp_path: Path) -> None:
    model = random_weights(timm.create_model("vit_tiny_patch16_224", img_size=48, depth=2, num_classes=4, **changes))
    assert_close(load(model, tmp_path), model, 48)


def test_the_sequence_is_class_distillation_registers_patches() -> None:
    model = VisionTransformer(8, 4, 1, 3, 16, 2, 2, distilled=True, num_registers=3, prefix_positions=False).eval()
    images = torch.randn(2, 1, 8, 8)
    seen: list[torch.Tensor] = []
    model.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model(images)
    (tokens,) = seen
    for index, token in enumerate([model.cls_token, model.dist_token, *model.reg_token.split(1, dim=1)]):
        torch.testing.assert_close(tokens[:, index], token[0].expand(2, -1))
    _, attention = model(images, return_attention=True)
    assert attention.shape[-1] == 5 + 4
    torch.testing.assert_close(tokens[:, 5:], model.patch_embed(images) + model.pos_embed)


def test_facebooks_names_of_a_deit_3(tmp_path: Path) -> None:
    model = theirs("deit-3")
    state = {re.sub(r"ls([12])\.gamma", r"gamma_\1", name): tensor for name, tensor in model.state_dict().items()}
    assert "blocks.0.gamma_1" in state
    torch.save({"model": state}, tmp_path / "deit_3.pth")
    assert_close(load_foreign(tmp_path / "deit_3.pth"), model, 48)


@pytest.mark.parametrize("kind", ["dinov2", "registers"])
def test_facebooks_names_of_a_dinov2(kind: str, tmp_path: Path) -> None:
    """timm turns Facebook's file into its own; the file is made from timm's, the other way round."""
    model = theirs(kind)
    state = dict(model.state_dict()) | {"mask_token": torch.zeros(1, 384)}
    if kind == "registers":
        position = torch.randn(1, 1, 384)
        state["register_tokens"] = state.pop("reg_token")
        state["cls_token"] = state["cls_token"] - position
        state["pos_embed"] = torch.cat([position, state["pos_embed"]], dim=1)
    torch.save(state, tmp_path / "dinov2.pth")
    assert_close(load_foreign(tmp_path / "dinov2.pth"), model, 42)
    turned = timm.models.vision_transformer.checkpoint_filter_fn(dict(state), model)
    again = theirs(kind)
    again.load_state_dict(turned)
    assert_close(again, model, 42)


def hugging_faces(kind: str, **changes: Any) -> nn.Module:
    config = getattr(transformers, f"{kind}Config")(**SIZE | {"image_size": 42, "patch_size": 14} | changes)
    return random_weights(getattr(transformers, f"{kind}ForImageClassification")(config))


@pytest.mark.parametrize("kind", ["Dinov2", "Dinov2WithRegisters"])
def test_a_folder_of_hugging_face_gives_its_logits(kind: str, tmp_path: Path) -> None:
    model = hugging_faces(kind, id2label=dict(enumerate(FIVE)), label2id={name: i for i, name in enumerate(FIVE)})
    model.save_pretrained(tmp_path / "hf")
    ours = load_foreign(tmp_path / "hf")
    assert (ours.pool, ours.num_registers) == ("both", 4 if kind.endswith("Registers") else 0)
    assert_close(ours, model, 42)
    torch.save(model.state_dict(), tmp_path / "five.pt")  # under the names of version 5
    assert_close(load_foreign(tmp_path / "five.pt", num_heads=3), model, 42)
    assert load_teacher(tmp_path / "hf", FIVE, DataSpec(source="digits", img_size=42)).img_size == 42


@pytest.mark.parametrize("kind", ["Dinov2", "Dinov2WithRegisters"])
def test_a_dinov2_with_a_gate_in_its_mlp_is_refused(kind: str, tmp_path: Path) -> None:
    hugging_faces(kind, use_swiglu_ffn=True).save_pretrained(tmp_path / "hf")
    with pytest.raises(CheckpointError, match=r"use_swiglu_ffn true|no Vision Transformer"):
        load_foreign(tmp_path / "hf")


@pytest.mark.parametrize("kind", ["Dinov2", "Dinov2WithRegisters"])
def test_every_field_of_their_configs_is_known(kind: str) -> None:
    assert getattr(transformers, f"{kind}Config")().to_dict().keys() <= HUGGING_FACE.keys()
    assert transformers.BitImageProcessorPil().to_dict().keys() <= HUGGING_FACE_PIXELS.keys()


def test_a_dinov2_of_hugging_face_is_read_at_its_own_size(tmp_path: Path) -> None:
    """Its processor crops to less, and the library resamples positions then, by another rule than any other's."""
    model = hugging_faces("Dinov2")
    model.save_pretrained(tmp_path)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
    transformers.BitImageProcessorPil(**size).save_pretrained(tmp_path)
    teacher = load_teacher(tmp_path, FIVE, DataSpec(source="digits", img_size=42))
    assert teacher.img_size == 42
    torch.testing.assert_close(teacher.mean.flatten(), torch.tensor([0.48145466, 0.4578275, 0.40821073]))


SPECS = {
    "deit-3": {"layer_scale": 1e-4, "prefix_positions": False},
    "dinov2": {"layer_scale": 1e-5, "pool": "both"},
    "registers": {"layer_scale": 1e-5, "num_registers": 4, "prefix_positions": False, "pool": "both"},
    "mae": {"pool": "mean"},
}


def run_of(kind: str, file: Path | str = "", **changes: Any) -> RunSpec:
    small = theirs(kind)
    size = {
        "embed_dim": small.embed_dim,
        "depth": 3,
        "num_heads": small.blocks[0].attn.num_heads,
        "mlp_ratio": 4.0,
        "patch_size": small.patch_embed.patch_size[0],
    }
    model = VisionTransformerSpec.model_validate(size | SPECS[kind] | changes)
    return RunSpec(
        data=DataSpec(source="digits", img_size=3 * model.patch_size), model=model, initial_checkpoint=str(file)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_starts_from_a_file(kind: str, tmp_path: Path) -> None:
    model = theirs(kind)
    torch.save(model.state_dict(), tmp_path / "theirs.pth")
    spec = run_of(kind, tmp_path / "theirs.pth")
    ours = build_model(spec, in_chans=3, num_classes=7)
    initialise(ours, spec, tuple("0123456"), tmp_path)
    images = torch.randn(2, 3, *ours.img_size)
    with torch.no_grad():
        tokens, _ = ours.eval().forward_features(images)
        torch.testing.assert_close(tokens, model.forward_features(images), atol=1e-5, rtol=1e-5)
    other = run_of(kind, tmp_path / "theirs.pth", layer_scale=None if "layer_scale" in SPECS[kind] else 0.1)
    with pytest.raises(CheckpointError, match=r"another architecture \(layer_scale (on|off) in place of (on|off)\)"):
        initialise(build_model(other, in_chans=3, num_classes=7), other, tuple("0123456"), tmp_path)


def test_a_spec_is_that_of_the_model_that_was_read(tmp_path: Path) -> None:
    for kind in KINDS:
        read = spec_of(load(theirs(kind), tmp_path))
        wanted = run_of(kind).model
        assert isinstance(read, VisionTransformerSpec)
        assert (read.layer_scale is None) == (wanted.layer_scale is None)
        for name in ("num_registers", "prefix_positions", "embed_dim", "depth", "num_heads", "patch_size"):
            assert getattr(read, name) == getattr(wanted, name)


def test_a_deit_reads_its_tokens() -> None:
    with pytest.raises(ValueError, match="pool mean is for a model with one head"):
        VisionTransformerSpec(distilled=True, pool="mean")
    with pytest.raises(ValueError, match="choose pool class, not both"):
        VisionTransformer(8, 4, distilled=True, pool="both")


def test_registers_and_scales_are_spared_by_weight_decay() -> None:
    model = VisionTransformer(8, 4, 1, 3, 16, 2, 2, num_registers=2, layer_scale=0.1, pool="mean")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    _, spared = ({names[id(p)] for p in group["params"]} for group in parameter_groups(model, 0.05))
    assert {"reg_token", "blocks.0.ls1.gamma", "fc_norm.weight", "fc_norm.bias"} <= spared
    layers = parameter_groups(model, 0.05, layer_decay=0.5)
    of_norm = next(group for group in layers if any(names[id(p)] == "fc_norm.weight" for p in group["params"]))
    assert of_norm["lr_scale"] == 0.5


def test_scales_begin_at_their_value_and_are_learned() -> None:
    model = VisionTransformer(8, 4, 1, 3, 16, 2, 2, layer_scale=0.01)
    gamma = model.get_parameter("blocks.1.ls2.gamma")
    assert gamma.eq(0.01).all()
    model(torch.randn(2, 1, 8, 8)).sum().backward()
    assert gamma.grad is not None
    assert gamma.grad.abs().sum() > 0


def test_a_mean_of_no_patches_is_finite() -> None:
    model = VisionTransformer(8, 4, 1, 3, 16, 2, 2, pool="mean").eval()
    tokens, _ = model.forward_features(torch.randn(2, 1, 8, 8), keep=torch.zeros(2, 0, dtype=torch.long))
    assert model.forward_heads(tokens)["class"].isfinite().all()
