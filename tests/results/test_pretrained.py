"""A folder of `save_pretrained` gives the same model again, here to the last bit, and to timm and transformers too."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from deit_core import (
    Viewer,
    from_pretrained,
    save_pretrained,
    torchvision_ops,  # noqa: F401  # before timm, which imports torchvision
)
from deit_core.errors import CheckpointError, SpecError
from deit_core.models import FileReading, ModelCard, build_model, input_statistics, save_weights
from deit_core.presets import digits_quick
from deit_core.spec import RunSpec

import timm  # isort: skip
import transformers  # isort: skip

CLASSES = tuple("abcdefghij")
WIDE = {"family": "vit", "embed_dim": 48, "num_heads": 4, "depth": 2, "mlp_ratio": 2.3}  # as none of others is
MODELS: dict[str, dict[str, Any]] = {
    "vit": WIDE,
    "deit": WIDE | {"distilled": True},
    "newer": WIDE | {"layer_scale": 0.1, "num_registers": 2, "prefix_positions": False, "pool": "mean"},
    "newer deit": WIDE | {"layer_scale": 0.1, "distilled": True},
    "both pools": WIDE | {"pool": "both"},
    "resnet9": {"family": "resnet9", "width": 8},
    "resnet18": {"family": "torchvision", "name": "resnet18"},
    "regnet": {"family": "torchvision", "name": "regnet_y_400mf"},
    "timm": {"family": "timm", "name": "resnet10t"},
}
THEIRS = ("vit", "deit", "newer", "newer deit", "resnet18", "timm")


def a_viewer(kind: str, folder: Path, in_chans: int = 3) -> Viewer:
    """Of a run, with other weights than a new model has."""
    teacher = {"distillation": {"teacher": "x"}} if kind.endswith("deit") else {}
    spec = RunSpec.model_validate(digits_quick().runs[1].model_dump() | {"model": MODELS[kind]} | teacher)
    mean, std = input_statistics(spec.model, (0.3, 0.4, 0.5)[:in_chans], (0.2, 0.3, 0.1)[:in_chans])
    card = ModelCard(spec=spec, classes=CLASSES, in_chans=in_chans, mean=mean, std=std, data_hash="x", epoch=3, step=9)
    torch.manual_seed(0)
    model = build_model(spec, in_chans=in_chans)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1 if parameter.ndim < 4 else 0.02)
    save_weights(folder / "run" / "best.safetensors", model, card)
    return Viewer.load(folder / "run")


def pixels(viewer: Viewer, in_chans: int | None = None) -> NDArray[np.uint8]:
    size = viewer.card.img_size
    return np.random.default_rng(0).integers(0, 256, (2, in_chans or viewer.card.in_chans, size, size), dtype=np.uint8)


def assert_others_see_the_same(model: nn.Module, folder: Path, viewer: Viewer) -> None:
    """Args: model: another library's, of the folder."""
    told = json.loads((folder / "preprocessor_config.json").read_text())
    images = torch.from_numpy(pixels(viewer)).expand(-1, len(told["image_mean"]), -1, -1) * told["rescale_factor"]
    mean, std = (torch.tensor(told[name]).view(-1, 1, 1) for name in ("image_mean", "image_std"))
    with torch.no_grad():
        logits = model((images - mean) / std)
    seen = getattr(logits, "logits", logits).softmax(-1).numpy()
    np.testing.assert_allclose(seen, viewer.predict(pixels(viewer)), atol=1e-5)


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back_to_the_last_bit(kind: str, in_chans: int, tmp_path: Path) -> None:
    viewer = a_viewer(kind, tmp_path, in_chans)
    save_pretrained(viewer, tmp_path / "hub")
    names = {"README.md", "config.json", "model.safetensors", "preprocessor_config.json"}
    assert {file.name for file in (tmp_path / "hub").iterdir()} == names
    again = from_pretrained(tmp_path / "hub")
    np.testing.assert_array_equal(again.predict(pixels(viewer)), viewer.predict(pixels(viewer)))
    assert again.card.classes == CLASSES
    if not kind.startswith(("resnet1", "regnet", "timm")):
        assert again.card == viewer.card, "with recipe, epoch and data"
    if viewer.is_transformer:
        assert torch.equal(again.look(pixels(viewer)).attention, viewer.look(pixels(viewer)).attention)


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize("kind", THEIRS)
def test_timm_and_transformers_read_the_folder(kind: str, in_chans: int, tmp_path: Path) -> None:
    viewer, folder = a_viewer(kind, tmp_path, in_chans), tmp_path / "hub"
    save_pretrained(viewer, folder)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    assert_others_see_the_same(model, folder, viewer)
    pixels_of = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    assert list(model.pretrained_cfg["mean"]) == pixels_of["mean"]
    assert "local-dir:FOLDER" in (folder / "README.md").read_text()
    wrapped = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    assert_others_see_the_same(wrapped, folder, viewer)
    assert tuple(wrapped.config.id2label.values()) == CLASSES


@pytest.mark.parametrize("kind", THEIRS[:5])
def test_the_configs_alone_say_all_that_is_needed(kind: str, tmp_path: Path) -> None:
    viewer, folder = a_viewer(kind, tmp_path), tmp_path / "hub"
    save_pretrained(viewer, folder)
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")  # without the card and the note
    again = from_pretrained(folder)
    assert isinstance(again.card, FileReading)
    assert (again.card.classes, again.card.assumed) == (CLASSES, ())
    np.testing.assert_allclose(again.predict(pixels(viewer)), viewer.predict(pixels(viewer)), atol=1e-6)


def test_a_model_of_timms_own_is_saved_and_read_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    deit = timm.create_model("deit_tiny_distilled_patch16_224", depth=2, img_size=32, num_classes=7).eval()
    save_file(deit.state_dict(), tmp_path / "deit.safetensors")
    viewer, folder = Viewer.load(tmp_path / "deit.safetensors"), tmp_path / "hub"
    save_pretrained(viewer, folder)
    again = from_pretrained(folder)
    assert again.card.classes == viewer.card.classes == tuple("0123456")
    one, other = (each.rollout(pixels(viewer)) for each in (viewer, again))
    assert torch.equal(one.map, other.map)
    assert_others_see_the_same(timm.create_model(f"local-dir:{folder}", pretrained=True).eval(), folder, viewer)
    save_pretrained(again, tmp_path / "twice")
    for name in ("config.json", "preprocessor_config.json"):
        assert (tmp_path / "twice" / name).read_bytes() == (folder / name).read_bytes()


def test_hugging_faces_norms_come_back_and_the_card_names_the_difference(tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}
    config = transformers.DeiTConfig(**size, image_size=32, patch_size=16, num_labels=5, layer_norm_eps=0.1)
    transformers.DeiTForImageClassificationWithTeacher(config).save_pretrained(tmp_path / "theirs")
    viewer = Viewer.load(tmp_path / "theirs")
    save_pretrained(viewer, tmp_path / "hub")
    again = from_pretrained(tmp_path / "hub")
    np.testing.assert_array_equal(again.predict(pixels(viewer)), viewer.predict(pixels(viewer)))
    assert "layer norms add 0.1 to variances, and timm's add 1e-06" in (tmp_path / "hub" / "README.md").read_text()


def test_the_card_has_the_results_and_the_facts_of_the_hub(tmp_path: Path) -> None:
    save_pretrained(a_viewer("deit", tmp_path), tmp_path / "hub", results={"test_accuracy": 0.8})
    text = (tmp_path / "hub" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: timm\npipeline_tag: image-classification\n---\n\n# ")
    for words in ("| test_accuracy | 0.8000 |", "DeiT", "from_pretrained('FOLDER')"):
        assert words in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("kind", ["resnet9", "regnet", "both pools"])
def test_the_card_says_where_no_other_library_has_the_network(kind: str, tmp_path: Path) -> None:
    save_pretrained(a_viewer(kind, tmp_path), tmp_path / "hub")
    text = (tmp_path / "hub" / "README.md").read_text()
    assert "library_name: deit_lab" in text
    assert "No other library has this network." in text
    assert "timm" not in text.partition("## Load")[2]


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    save_pretrained(a_viewer("vit", tmp_path), tmp_path / "hub")
    file = tmp_path / "hub" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match="not those that were written"):
        from_pretrained(tmp_path / "hub")


def test_a_runs_folder_stays_as_it_is(tmp_path: Path) -> None:
    viewer = a_viewer("vit", tmp_path)
    with pytest.raises(CheckpointError, match="is the folder of a run; choose another"):
        save_pretrained(viewer, tmp_path / "run")
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["best.safetensors"]


@pytest.mark.parametrize("name", ["facebook/deit-tiny-patch16-224", "file"])
def test_nothing_is_downloaded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="nothing is downloaded here; give the path of a folder"):
        from_pretrained(name)


def test_a_model_of_pretrained_is_a_teacher_like_its_run(tmp_path: Path) -> None:
    """It knows from which images it learned, so that a student that holds others back is refused."""
    from deit_core.models import load_teacher

    viewer = a_viewer("resnet9", tmp_path, in_chans=1)
    save_pretrained(viewer, tmp_path / "hub")
    data = viewer.card.spec.data  # type: ignore[attr-defined]
    with pytest.raises((CheckpointError, SpecError), match="split"):
        load_teacher(tmp_path / "hub", CLASSES, data.with_changes(split_seed=data.split_seed + 1))
