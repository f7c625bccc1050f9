"""Hugging Face's own library, version 5: what it saves gives its own logits, whatever its config and processor say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from deit_core import torchvision_ops  # noqa: F401  # before transformers, which imports torchvision
from deit_core.errors import CheckpointError
from deit_core.models import load_foreign, load_teacher
from deit_core.models.foreign.config_fields import HUGGING_FACE, HUGGING_FACE_PIXELS
from deit_core.models.foreign.published import Published
from deit_core.spec import DataSpec

import transformers  # isort: skip

FIVE = tuple("abcde")
DATA = DataSpec(source="digits", img_size=32)
SIZE = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}
KINDS = {
    "ViTForImageClassification": transformers.ViTConfig,
    "DeiTForImageClassificationWithTeacher": transformers.DeiTConfig,
    "ViTMSNForImageClassification": transformers.ViTMSNConfig,
}


def theirs(kind: str = "ViTForImageClassification", **changes: Any) -> nn.Module:
    torch.manual_seed(0)
    config = KINDS[kind](**SIZE | {"image_size": 32, "patch_size": 16, "num_labels": 5} | changes)
    model: nn.Module = getattr(transformers, kind)(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.eval()


def assert_same(path: Path, model: nn.Module, size: tuple[int, int] = (32, 32), **options: int) -> None:
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(load_foreign(path, **options)(images), model(images).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_dict_in_the_names_of_version_5(kind: str, tmp_path: Path) -> None:
    model = theirs(kind)
    assert any(".layers.0.attention.q_proj." in name for name in model.state_dict())
    torch.save(model.state_dict(), tmp_path / "hf.pt")
    assert_same(tmp_path / "hf.pt", model, num_heads=3)


@pytest.mark.parametrize("options", [{}, {"save_original_format": False}, {"max_shard_size": "50KB"}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_save_pretrained(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    model = theirs(kind, id2label=dict(enumerate(FIVE)), label2id={name: index for index, name in enumerate(FIVE)})
    model.save_pretrained(tmp_path / "hf", **options)
    assert_same(tmp_path / "hf", model)
    assert Published.of(tmp_path / "hf").classes == FIVE
    teacher = load_teacher(tmp_path / "hf", FIVE, DATA)
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = model((pixels - teacher.mean) / teacher.std).logits
    torch.testing.assert_close(teacher(pixels), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("eps", [1e-12, 1e-6, 1e-2])
def test_what_is_added_to_variances_is_theirs(eps: float, tmp_path: Path) -> None:
    model = theirs(layer_norm_eps=eps)
    with torch.no_grad():  # tokens so small that what is added to their variance decides
        for name, parameter in model.named_parameters():
            if "embeddings" in name:
                parameter.mul_(1e-4)
    model.save_pretrained(tmp_path / "hf")
    assert_same(tmp_path / "hf", model)


def test_an_image_that_is_not_square(tmp_path: Path) -> None:
    model = theirs(image_size=[32, 128])
    model.save_pretrained(tmp_path / "hf")
    assert_same(tmp_path / "hf", model, (32, 128))
    with pytest.raises(CheckpointError, match="images of 32 x 128 pixels, but images are square"):
        load_teacher(tmp_path / "hf", FIVE, DATA)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
        {"do_normalize": False},
        {"do_rescale": False, "image_mean": [100.0] * 3, "image_std": [50.0] * 3},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [0.5] * 3},
        {"do_normalize": False, "rescale_factor": 1 / 127.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("processor", ["ViTImageProcessorPil", "DeiTImageProcessorPil"])
def test_a_teacher_reads_pixels_as_their_processor_makes_them(
    processor: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    model = theirs()
    side = {"height": 32, "width": 32}
    sizes = {"size": side} | ({"crop_size": side} if processor.startswith("DeiT") else {})
    makes = getattr(transformers, processor)(**sizes, **settings)
    model.save_pretrained(tmp_path / "hf")
    makes.save_pretrained(tmp_path / "hf")
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        expected = model(makes(images=list(images.numpy()), return_tensors="pt")["pixel_values"].float()).logits
    given = load_teacher(tmp_path / "hf", FIVE, DATA)(images.float() / 255)
    torch.testing.assert_close(given, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_their_configs_is_known(kind: str) -> None:
    assert KINDS[kind]().to_dict().keys() <= HUGGING_FACE.keys()


@pytest.mark.parametrize("processor", ["ViTImageProcessor", "ViTImageProcessorPil", "DeiTImageProcessor"])
def test_every_field_of_their_processors_is_known(processor: str) -> None:
    made = getattr(transformers, processor)()
    assert made.to_dict().keys() <= HUGGING_FACE_PIXELS.keys()
    assert made.valid_kwargs.__annotations__.keys() <= HUGGING_FACE_PIXELS.keys()


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("config", {"hidden_act": "relu"}, 'hidden_act "relu"'),
        ("config", {"hidden_act": "gelu_new"}, 'hidden_act "gelu_new"'),
        ("config", {"model_type": "dinov2"}, 'model_type "dinov2"'),
        ("config", {"architectures": ["MyViT"]}, "architectures"),
        ("config", {"auto_map": {"AutoModel": "mine.MyViT"}}, "auto_map"),
        ("config", {"head_dim": 8}, "head_dim 8"),
        ("config", {"num_hidden_layers": 3}, "num_hidden_layers 3"),
        ("config", {"intermediate_size": 95}, "intermediate_size 95"),
        ("config", {"patch_size": 8}, "patch_size 8"),
        ("config", {"qkv_bias": False}, "qkv_bias False"),
        ("config", {"image_size": 64}, "reads images of 64 x 64"),
        ("config", {"layer_norm_eps": "small"}, 'layer_norm_eps "small"'),
        ("config", {"num_attention_heads": 0}, "num_attention_heads 0"),
        ("config", {"per_layer_config": {"0": {"hidden_act": "relu"}}}, "per_layer_config"),
        ("config", {"id2label": {"0": "cat", "1": "dog"}}, "names 2 classes"),
        ("config", {"gated": True}, "gated true, an unknown field"),
        ("preprocessor_config", {"image_processor_type": "CLIPImageProcessor"}, "image_processor_type"),
        ("preprocessor_config", {"size": {"height": 64, "width": 64}}, "size .*reads images of 32 x 32"),
        ("preprocessor_config", {"image_mean": ["half"]}, "image_mean"),
        ("preprocessor_config", {"do_pad": True}, "do_pad true"),
        ("preprocessor_config", {"rescale_offset": True}, "rescale_offset true, an unknown field"),
    ],
)
def test_what_would_be_another_function_is_refused_by_name(
    file: str, change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    theirs().save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    load_teacher(tmp_path, FIVE, DATA)
    config = tmp_path / f"{file}.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    for load in (load_foreign, lambda path: load_teacher(path, FIVE, DATA)):
        with pytest.raises(CheckpointError, match=words) as caught:
            load(tmp_path)
        assert not re.search(r"\n", str(caught.value))


@pytest.mark.parametrize("file", ["config", "preprocessor_config"])
@pytest.mark.parametrize("content", ["not JSON", "[1]", '{"model_type": ', ""])
def test_a_config_that_cannot_be_read_is_refused(file: str, content: str, tmp_path: Path) -> None:
    theirs().save_pretrained(tmp_path)
    (tmp_path / f"{file}.json").write_text(content)
    with pytest.raises(CheckpointError, match=rf"{file}\.json is damaged or not a config"):
        load_foreign(tmp_path)
