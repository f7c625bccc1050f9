"""A viewer opens exports and files of others, and sees in them what the run, or their own library, sees."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from deit_core import torchvision_ops  # noqa: F401  # before timm, which imports torchvision
from deit_core.attention import Viewer
from deit_core.attention.drawing.picture_files import draw_pictures
from deit_core.catalog import METHODS
from deit_core.cli.app import app
from deit_core.data.sources.decoding import fit_image
from deit_core.models import FileReading, ModelCard, build_model, input_statistics, save_weights
from deit_core.presets import digits_quick
from deit_core.results.export import Format, export_checkpoint
from deit_core.spec import RolloutSpec, RunSpec

from timm.models import deit as timm_deit  # isort: skip
from timm.models._hub import save_for_hf  # isort: skip

CLASSES = tuple("abcdefghij")
MODELS = {
    "vit": {"family": "vit", "embed_dim": 192, "num_heads": 8, "depth": 2},  # heads that no width of others has
    "deit": {"family": "vit", "embed_dim": 48, "num_heads": 4, "depth": 2, "distilled": True},
    "resnet9": {"family": "resnet9", "width": 8},
    "resnet18": {"family": "torchvision", "name": "resnet18"},
    "pretrained": {"family": "torchvision", "name": "resnet18", "pretrained": "imagenet"},
}


def a_run(kind: str, folder: Path) -> Path:
    teacher = {"distillation": {"teacher": "x"}} if kind == "deit" else {}
    spec = RunSpec.model_validate(digits_quick().runs[1].model_dump() | {"model": MODELS[kind]} | teacher)
    mean, std = input_statistics(spec.model, (0.3,), (0.2,))
    card = ModelCard(spec=spec, classes=CLASSES, in_chans=1, mean=mean, std=std, data_hash="x", epoch=3, step=9)
    torch.manual_seed(0)
    save_weights(folder / "run" / "best.safetensors", build_model(spec), card)
    return folder / "run"


def pixels(viewer: Viewer) -> np.ndarray:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return fit_image(picture, img_size=viewer.card.img_size, in_chans=viewer.card.in_chans)[None]


@pytest.mark.parametrize("file_format", ["pt", "safetensors"])
@pytest.mark.parametrize("kind", MODELS)
def test_an_export_is_seen_as_its_run(kind: str, file_format: Format, tmp_path: Path) -> None:
    run, file = a_run(kind, tmp_path), tmp_path / f"model.{file_format}"
    export_checkpoint(run, file, file_format)
    whole, exported = Viewer.load(run), Viewer.load(file)
    assert exported.card.classes == CLASSES
    assert isinstance(exported.card, FileReading)
    assert exported.card.assumed == ()
    np.testing.assert_array_equal(pixels(exported), pixels(whole))
    np.testing.assert_allclose(exported.predict(pixels(exported)), whole.predict(pixels(whole)), atol=1e-5)
    assert exported.is_transformer == whole.is_transformer
    if whole.is_transformer:
        one, other = (viewer.look(pixels(viewer)).attention for viewer in (whole, exported))
        torch.testing.assert_close(one, other)


def facebooks() -> nn.Module:
    torch.manual_seed(0)
    size = {"img_size": 32, "patch_size": 16, "embed_dim": 192, "depth": 1, "num_heads": 3, "num_classes": 7}
    model = timm_deit.VisionTransformerDistilled(**size)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


def test_a_file_of_facebook_is_seen_with_imagenets_pixels_and_numbers_for_classes(tmp_path: Path) -> None:
    torch.save({"model": facebooks().state_dict()}, tmp_path / "deit.pth")
    viewer = Viewer.load(tmp_path / "deit.pth")
    assert viewer.card.classes == tuple("0123456")
    assert isinstance(viewer.card, FileReading)
    assert ["do not name the classes" in viewer.card.assumed[0], "ImageNet's mean" in viewer.card.assumed[1]] == [
        True,
        True,
    ]
    images = pixels(viewer)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        expected = facebooks()((torch.from_numpy(images) / 255 - mean) / std).softmax(-1)
    np.testing.assert_allclose(viewer.predict(images), expected.numpy(), atol=1e-5)


def test_a_folder_of_timm_says_its_pixels_and_its_classes(tmp_path: Path) -> None:
    import timm

    model = timm.create_model("vit_tiny_patch16_224", depth=1, img_size=32, num_classes=3)
    options = {"model_config": {"label_names": ["cat", "dog", "cow"]}, "safe_serialization": True}
    save_for_hf(model, tmp_path / "timm", **options)
    viewer = Viewer.load(tmp_path / "timm")
    assert viewer.card.classes == ("cat", "dog", "cow")
    assert (viewer.card.mean, viewer.card.assumed) == ((0.5,) * 3, ())  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["rollout", "class_attention", "gradient_rollout", "attention_relevance"])
def test_every_method_draws_a_file_of_others(method: str, tmp_path: Path) -> None:
    torch.save({"model": facebooks().state_dict()}, tmp_path / "deit.pth")
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "a.png")
    told: list[str] = []
    spec = RolloutSpec.model_validate({"method": method, "target": "3" if METHODS[method].class_specific else None})
    (drawn,) = draw_pictures(tmp_path / "deit.pth", [tmp_path / "a.png"], tmp_path / "out", spec, note=told.append)
    assert drawn.path.is_file()
    assert drawn.label in "0123456"
    assert len(told) == 2


def test_the_command_draws_an_export_and_says_what_it_assumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    export_checkpoint(a_run("resnet9", tmp_path), tmp_path / "CNN.SAFETENSORS", "safetensors")
    torch.save({"model": facebooks().state_dict()}, tmp_path / "deit.pth")
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / "a.png")
    for name, sentences in (("CNN.SAFETENSORS", 0), ("deit.pth", 2)):
        done = CliRunner().invoke(app, ["rollout", name, "a.png", "--out", "out", "--json"])
        assert done.exit_code == 0, done.stderr
        (drawn,) = json.loads(done.stdout)
        assert drawn["predicted"] in (*CLASSES, *"0123456")
        assert len(done.stderr.splitlines()) == sentences, done.stderr
