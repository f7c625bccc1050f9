"""Every run of every preset is built, makes two steps on a few images in its data set's own format, and is saved.

So that this takes seconds, images, depth, width, batches and epochs are cut down, and pretrained CNNs are of the
smallest kind and start from random weights that lie where torchvision would put its own. Tests of their own build the
large models as they are, and make a step of the largest.
"""

from collections.abc import Iterator
from dataclasses import replace as replaced
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import write_images
from published_files import write_cifar, write_idx

from deit_core import presets
from deit_core.data.sources.idx import FILES
from deit_core.data.sources.scattered_digits import scattered_digits
from deit_core.data.sources.source import Source
from deit_core.events import RunFinished, RunStarted
from deit_core.models import VisionTransformer, build_model, load_checkpoint, read_card
from deit_core.models.timm_classifier import TimmClassifier
from deit_core.spec import AnySpec, DataSpec, RunSpec, members, replace
from deit_core.torchvision_ops import torchvision
from deit_core.training import train
from deit_core.training.step import TrainStep

_SMALL = {"regnet_y_16gf": "regnet_y_400mf", "regnet_y_3_2gf": "regnet_y_400mf", "resnet50": "resnet18"}
_SMALL_TIMM = {"tf_efficientnet_lite0": "test_efficientnet"}


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few images of each data set that the presets name."""
    home, rng = tmp_path / "data", np.random.default_rng(0)
    for folder in ("MNIST", "FashionMNIST"):
        for name in FILES:
            array = rng.integers(0, 256, (80, 28, 28)) if "images" in name else np.arange(80) % 10
            write_idx(home / folder / "raw" / name, array)
    write_cifar(monkeypatch, home, "cifar-10", num_images=10)
    for name in ("images", "imagenet"):
        write_images(home / name, 8, size=(70, 60))
    return home


@pytest.fixture(scope="module", autouse=True)
def few_scattered_digits() -> Iterator[None]:
    """The same for all runs that ask for the same, with a few test images."""

    @cache
    def few(spec: DataSpec) -> Source:
        source = scattered_digits(spec)
        assert source.test_masks is not None
        names = ("test_images", "test_labels", "test_masks")
        return replaced(source, **{name: getattr(source, name)[:80] for name in names})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deit_core.data.sources.folder.scattered_digits", few)
        yield


@pytest.fixture(scope="module")
def torch_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What torchvision has fetched before: a file of weights for each of the small CNNs."""
    home = tmp_path_factory.mktemp("torch")
    checkpoints = home / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for name in set(_SMALL.values()):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        network = torchvision.models.get_model(name, weights=None)
        torch.save(network.state_dict(), checkpoints / weights.url.rpartition("/")[2])
    return home


_PLACES = 2  # of a scattered digit: at one of them it is labelled where labels are few
_LABELLED = 0.5  # of the presets with few labels
# Half of the images that are left to train on, or a little less.
_BATCH = {"digits": 50, "scattered-digits": 60 * _PLACES, "folder": 6, "mnist": 28, "fashion-mnist": 28, "cifar-10": 14}


def cut_down(spec: AnySpec) -> tuple[RunSpec, ...]:
    """A preset's runs at a size for tests: the same kinds of model, data, augmentation, loss and optimiser."""
    data = members(spec)[0].data
    labelled = 1.0 if data.labelled_fraction == 1 else _LABELLED
    scattered = {"data.places_per_digit": _PLACES, "data.val_fraction": 0.1}  # whose validation images are all used
    changes: dict[str, object] = {
        "data.fraction": 0.1 if "digits" in data.source else 1.0,
        "data.labelled_fraction": labelled,
        "data.val_fraction": 0.3,
        "model.depth": 1,
        "optim.epochs": 1,
        "optim.warmup_epochs": 0,
        "optim.batch_size": round(_BATCH[data.source] * labelled),
        "optim.lr_scaling": "none",
        "compute.precision": "float32",
    }
    if data.source == "scattered-digits":
        changes |= scattered
    for run in members(spec):
        own = "" if isinstance(spec, RunSpec) else f"{run.name}."
        if run.model.family == "torchvision":
            changes[f"{own}model.name"] = _SMALL[run.model.name]
        if run.model.family == "timm":
            changes |= {f"{own}model.name": _SMALL_TIMM[run.model.name], f"{own}model.input_size": 64}
        if run.model.family == "resnet9":
            changes[f"{own}model.width"] = 8
        if run.model.family == "vit" and run.model.embed_dim >= 192:
            changes[f"{own}model.embed_dim"] = 8 * run.model.num_heads  # no width that is published
        if run.data.img_size > 32:
            changes[f"{own}data.img_size"] = 48 if run.data.img_size == 384 else 32
    return members(replace(spec, changes))


def publish(run: RunSpec, folder: Path) -> None:
    """Write the file that a run starts from as Facebook's are: a model for 1000 classes, under "model"."""
    file = folder / run.initial_checkpoint
    if file.suffix == ".pth" and not file.exists():
        folder.mkdir(exist_ok=True)
        plain = run.model.with_changes(distilled=False) if run.model.family == "vit" else run.model
        model = build_model(run.with_changes(model=plain), in_chans=3, num_classes=1000)
        model = model.network if isinstance(model, TimmClassifier) else model
        torch.save({"model": model.state_dict()}, file)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", presets.names())
def test_each_run_makes_two_steps_and_is_saved(
    name: str, data_dir: Path, torch_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    whole = presets.get(name)
    for run, asked in zip(cut_down(whole), members(whole), strict=True):
        publish(run, tmp_path / "runs")
        events = list(train(run, run_dir=tmp_path / "runs" / run.name, data_dir=data_dir, num_threads=1))
        assert isinstance(events[0], RunStarted)
        num_steps = 2 * round(run.share_trained / run.data.labelled_fraction)
        assert events[0].total_steps == num_steps
        assert isinstance(events[-1], RunFinished)
        card = read_card(tmp_path / "runs" / run.name)
        assert card.step == num_steps
        assert card.in_chans == (3 if run.data.source in ("cifar-10", "folder") else 1)
        model = load_checkpoint(tmp_path / "runs" / run.name)
        if isinstance(model, VisionTransformer):
            assert model.distilled == asked.model.distilled  # type: ignore[union-attr]
            assert model.blocks[0].attn.num_heads == asked.model.num_heads  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "run", "num_params"),
    [  # with 1000 classes, as timm and torchvision count
        ("imagenet-deit-base", "teacher", 83_590_140),
        ("mnist-soft-resnet50", "teacher", 25_557_032),
        ("mnist-soft-efficientnet", "teacher", 4_652_008),
        ("tutorial-deit-base", "deit", 87_338_192),
        ("deit-base-384", "deit-384", 87_338_192 + (24**2 - 14**2) * 768),
        ("imagenet-deit-small", "vit", 22_050_664),
        ("deit-tiny", "deit", 5_910_800),
    ],
)
def test_the_largest_are_built_as_they_are(name: str, run: str, num_params: int) -> None:
    spec = next(one for one in members(presets.get(name)) if one.name == run)
    model = build_model(spec, in_chans=3, num_classes=1000)
    assert sum(parameter.numel() for parameter in model.parameters()) == num_params


def test_a_deit_base_learns_from_a_regnet_of_16_gf() -> None:
    """One step of both, of two images, at 64 pixels in place of 224; nothing is written."""
    small = replace(presets.get("imagenet-deit-base"), {"data.img_size": 64})
    teacher, _, deit = members(small)
    pixels, labels = torch.rand(2, 3, 64, 64), torch.tensor([0, 1])
    network = build_model(teacher, in_chans=3, num_classes=1000)
    TrainStep(teacher, network.train(), None, lambda x: x, 1)(pixels, labels, 0)
    student = build_model(deit, in_chans=3, num_classes=1000)
    assert sum(parameter.numel() for parameter in student.parameters()) == 87_338_192 - (14**2 - 4**2) * 768
    before = student.head_dist.weight.detach().clone()
    measured = TrainStep(deit, student.train(), network.eval(), lambda x: x - 0.5, 10)(pixels, labels, 9)
    assert all(value.isfinite().all() for value in measured.values())
    assert not torch.equal(before, student.head_dist.weight)
