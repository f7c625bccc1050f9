"""Files explained without a browser: every view and method, folders, the numbers beside, and what is refused."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deit_core import presets
from deit_core.attention import Viewer
from deit_core.attention.drawing.picture_files import Drawn, draw_pictures, find_images
from deit_core.catalog import METHODS, SOURCES, VIEWS, ViewName
from deit_core.data.sources.decoding import decode_image, fit_image
from deit_core.errors import DataError
from deit_core.models import ModelCard, build_model, read_card, save_weights
from deit_core.spec import RolloutSpec, RunSpec, validated


def saved(spec: RunSpec, folder: Path) -> Path:
    torch.manual_seed(0)
    card = ModelCard(
        spec=spec,
        classes=SOURCES[spec.data.source].classes,
        in_chans=1,
        mean=(0.3,),
        std=(0.3,),
        data_hash="",
        epoch=3,
        step=30,
    )
    path = folder / f"{spec.name}.safetensors"
    save_weights(path, build_model(spec), card)
    return path


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    experiment = presets.get("digits-quick")
    folder = tmp_path_factory.mktemp("checkpoints")
    return {spec.name: saved(spec, folder) for spec in experiment.runs}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "thing.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    return path


def draw(checkpoint: Path, image: Path, view: ViewName = "maps", *, invert: bool = False, **options: Any) -> Drawn:
    spec = validated(RolloutSpec, options)
    out = image.parent / "out"
    (drawn,) = draw_pictures(checkpoint, [image], out, spec, view_name=view, invert=invert, with_npz=True)
    return drawn


def numbers(drawn: Drawn) -> dict[str, np.ndarray]:
    with np.load(drawn.path.with_suffix(".npz")) as packed:
        return {name: packed[name] for name in packed.files}


def test_a_deit_is_drawn_from_each_token(checkpoints: dict[str, Path], image: Path) -> None:
    drawn = draw(checkpoints["deit"], image, discard_ratio=0.9)
    maps = numbers(drawn)
    assert set(maps) == {"image", "settings", "Output", "Class token", "Distillation token", "Class - distillation"}
    np.testing.assert_allclose(maps["Class token"] - maps["Distillation token"], maps["Class - distillation"])
    viewer = Viewer.load(checkpoints["deit"])
    pixels = fit_image(decode_image(image.read_bytes()), img_size=16, in_chans=1)
    np.testing.assert_array_equal(maps["image"], pixels)
    expected = viewer.look(pixels[None]).prepare().map(discard_ratio=0.9)
    np.testing.assert_array_equal(maps["Output"], expected.values)
    assert drawn.probability == pytest.approx(viewer.predict(pixels[None])[0].max())


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "film"])
def test_every_view_says_how_it_was_made(checkpoints: dict[str, Path], image: Path, view: ViewName) -> None:
    drawn = draw(checkpoints["vit"], image, view=view, cmap="cividis", smooth=True)
    with Image.open(drawn.path) as picture:
        settings = json.loads(picture.text["deit_lab"])
    assert settings == json.loads(str(numbers(drawn)["settings"]))
    assert settings["view"] == view
    asked = RolloutSpec(method="rollout", cmap="cividis", smooth=True)
    assert RolloutSpec.model_validate(settings["rollout"]) == asked
    assert settings["models"] == [{"title": "vit", "checkpoint": checkpoints["vit"].name, "epoch": 3}]
    assert settings["pictures"] == [{"picture": image.name, "truth": None, "invert": False}]


@pytest.mark.parametrize("method", [name for name, facts in METHODS.items() if facts.family == "vit"])
def test_every_method_draws_its_own_map(checkpoints: dict[str, Path], image: Path, method: str) -> None:
    drawn = draw(checkpoints["vit"], image, method=method)
    assert drawn.path.name == f"thing.{method}.png"
    assert numbers(drawn)["Output"].shape == (8, 8)


def test_a_cnn_is_drawn_by_grad_cam(checkpoints: dict[str, Path], image: Path) -> None:
    assert draw(checkpoints["teacher"], image).path.name == "thing.grad_cam.png"


def test_a_folder_is_all_its_images(checkpoints: dict[str, Path], image: Path) -> None:
    Image.new("L", (20, 20), 200).save(image.with_name("another.JPG"), "JPEG")
    (image.parent / "notes.txt").write_text("no image")
    drawn = draw_pictures(checkpoints["vit"], [image.parent], image.parent / "out", RolloutSpec())
    assert [one.image.name for one in drawn] == ["another.JPG", "thing.png"]


@pytest.mark.parametrize("name", ["._a.png", ".hidden.jpg", "@eaDir/thing.png/SYNOFILE_THUMB_M.jpg", "a.heic"])
def test_a_folder_is_listed_as_one_to_train_on_is(image: Path, name: str) -> None:
    Image.new("RGB", (20, 20)).save(image.with_name("scan.tiff"))
    (image.parent / name).parent.mkdir(parents=True, exist_ok=True)
    (image.parent / name).write_bytes(b"no image")
    assert [file.name for file in find_images([image.parent])] == ["scan.tiff", "thing.png"]


def test_a_name_in_a_folder_that_is_not_utf_8_is_refused(image: Path) -> None:
    try:
        image.rename(image.parent / os.fsdecode(b"caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    with pytest.raises(DataError, match="caf\ufffd\\.png is not UTF-8"):
        find_images([image.parent])
    with pytest.raises(DataError, match="caf\ufffd\\.png is not UTF-8"):
        find_images([image.parent / os.fsdecode(b"caf\xe9.png")])


def test_inverting_turns_light_into_dark(checkpoints: dict[str, Path], image: Path) -> None:
    plain, inverted = (numbers(draw(checkpoints["vit"], image, invert=invert))["image"] for invert in (False, True))
    np.testing.assert_allclose(inverted, 255 - plain.astype(int), atol=1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "magic"}, "method should be 'rollout'"),
        ({"view": "film"}, "nothing to film"),
        ({"view": "heads", "method": "class_attention"}, "is of a rollout, not of class_attention"),
        ({"target": "3"}, "do not depend on target"),
        ({"method": "gradient_rollout", "layers": (1,), "compat": True}, "do not depend on layers or compat"),
        ({"view": "heads", "residual": 0.3}, "do not depend on residual"),
        ({"view": "variants", "discard_ratio": 0.3}, "do not depend on discard_ratio"),
        ({"method": "attention_relevance", "target": "boat"}, "has no class 'boat'"),
        ({"method": "attention_relevance", "query": "patch", "row": 1, "column": 8}, "logit"),
        ({"method": "grad_cam"}, "grad_cam|CNN|Grad-CAM"),
        ({"discard_ratio": 1.0}, "discard_ratio"),
        ({"discard_ratio": float("nan")}, "discard_ratio"),
        ({"vmax": 0.0}, "vmax should be greater than 0"),
        ({"vmax": 2.0, "shared_scale": False}, "turn shared_scale on"),
        ({"layers": (0,)}, "count from 1, so there is no number 0"),
        ({"layers": (4,)}, r"some of the 3 layers 1 to 3, each once, not \[4\]"),
        ({"layers": (2, 2)}, "each once"),
        ({"head_fusion": 0}, "count from 1, so there is no number 0"),
        ({"head_fusion": "0"}, "count from 1, so there is no number 0"),
        ({"head_fusion": 9}, "There is no head 9; choose one from 1 to"),
        ({"head_fusion": "median"}, "mean, max, min, or a head's number from 1, not 'median'"),
        ({"query": "patch"}, "give both, or neither"),
        ({"row": 3}, "give both, or neither"),
        ({"query": "patch", "row": 9, "column": 1}, "no patch in row 9, column 1; the model has 8 rows and 8 columns"),
        ({"compat": True, "scope": "row"}, "neither scope nor row_norm"),
        ({"query": "distillation"}, "no distillation token"),
        ({"cmap": "jet"}, "cmap should be"),
        ({"opacity": 2.0}, "opacity should be less than or equal to 1"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused(
    checkpoints: dict[str, Path], image: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        draw(checkpoints["vit"], image, **options)
    assert not list((image.parent / "out").glob("*"))


def test_a_class_that_is_asked_about_changes_the_map(checkpoints: dict[str, Path], image: Path) -> None:
    three, seven = (
        numbers(draw(checkpoints["vit"], image, method="attention_relevance", target=name))["Output"] for name in "37"
    )
    assert not np.allclose(three, seven)


def test_what_cannot_be_written_is_a_sentence(checkpoints: dict[str, Path], image: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be written .*choose another folder"):
        list(draw_pictures(checkpoints["vit"], [image], image, RolloutSpec()))


def test_two_images_are_never_drawn_into_one_file(image: Path) -> None:
    with pytest.raises(ValueError, match="would be drawn into one file"):
        find_images([image, image.with_suffix(".jpg")])
    assert find_images([image.parent, image]) == [image]
    empty = image.parent / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="holds no PNG"):
        find_images([empty])


def test_a_film_is_a_frame_an_epoch_on_one_scale(checkpoints: dict[str, Path], image: Path) -> None:
    run = image.parent / "run"
    for epoch in range(1, 4):
        save_weights(
            run / "epochs" / f"{epoch:04d}.safetensors",
            build_model(read_card(checkpoints["vit"]).spec),
            read_card(checkpoints["vit"]),
        )
    (run / "best.safetensors").write_bytes((run / "epochs" / "0001.safetensors").read_bytes())
    for stray in ("._0001", "0001 (copy)", "best", "0001.old", "00002", "-4"):
        (run / "epochs" / f"{stray}.safetensors").write_bytes(b"not ours")
    (run / "epochs" / "0004.safetensors").mkdir()
    (drawn,) = draw_pictures(run, [image], image.parent / "out", RolloutSpec(), view_name="film")
    with Image.open(drawn.path) as film:
        assert film.n_frames == 3


def test_faithfulness_is_that_of_the_map(checkpoints: dict[str, Path], image: Path) -> None:
    (drawn,) = draw_pictures(
        checkpoints["vit"], [image], image.parent / "out", RolloutSpec(), with_npz=True, with_faithfulness=True
    )
    viewer, maps = Viewer.load(checkpoints["vit"]), numbers(drawn)
    expected = viewer.faithfulness(maps["image"][None], maps["Output"][None])
    assert drawn.faithfulness is not None
    assert drawn.faithfulness["area"] == expected.given.area.item()
    assert drawn.faithfulness["percentile"] == expected.percentile.item()
