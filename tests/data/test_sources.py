"""Data sets are found where the documentation says, and what is missing or damaged is one sentence."""

import os
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from published_files import write_idx

from deit_core.data import is_here, load_data, load_demo_images, load_source, splits, write_demo_images
from deit_core.data.sources import demo_images
from deit_core.data.sources import downloads as published
from deit_core.data.splits import split_indices
from deit_core.errors import DataError, SpecError
from deit_core.spec import DataSpec


def write_fashion_mnist(folder: Path, suffix: str) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28))
    for name in ("train", "t10k"):
        write_idx(folder / f"{name}-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte{suffix}", np.arange(20) % 10)
    return images


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No system copy, and a mirror that refuses connections."""
    from deit_core.torchvision_ops import torchvision

    monkeypatch.setattr(published, "SYSTEM_FASHION_MNIST", tmp_path / "no-system-copy")
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_data_folder_comes_first(tmp_path: Path, suffix: str) -> None:
    images = write_fashion_mnist(tmp_path / "FashionMNIST" / "raw", suffix)
    source = load_source("fashion-mnist", tmp_path)
    np.testing.assert_array_equal(source.train_images[:, 0], images)
    assert source.train_images.shape == (20, 1, 28, 28)
    assert source.test_labels.tolist() == [*range(10), *range(10)]


def test_the_first_test_images_can_ship_with_demo_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_images, "NUM_IMAGES", 12)
    write_fashion_mnist(tmp_path / "FashionMNIST" / "raw", "")
    whole = load_source("fashion-mnist", tmp_path)
    write_demo_images(tmp_path / "demo", "fashion-mnist", tmp_path)
    few = load_demo_images("fashion-mnist", tmp_path / "demo")
    assert few is not None
    np.testing.assert_array_equal(few.test_images, whole.test_images[:12])
    np.testing.assert_array_equal(few.test_labels, whole.test_labels[:12])
    assert few.classes == whole.classes
    assert len(few.train_images) == 0
    write_demo_images(tmp_path / "demo", "digits", tmp_path)
    assert load_demo_images("digits", tmp_path / "demo") is None  # everybody has them


def test_the_system_copy_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion_mnist(tmp_path / "system", ".gz")
    monkeypatch.setattr(published, "SYSTEM_FASHION_MNIST", tmp_path / "system")
    assert is_here("fashion-mnist", tmp_path / "data")
    assert len(load_source("fashion-mnist", tmp_path / "data").train_labels) == 20


def test_a_damaged_system_copy_is_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but its package may delete a file there."""
    write_fashion_mnist(tmp_path / "system", "")
    (tmp_path / "system" / "t10k-labels-idx1-ubyte").write_bytes(b"")
    monkeypatch.setattr(published, "SYSTEM_FASHION_MNIST", tmp_path / "system")
    own = tmp_path / "data" / "FashionMNIST" / "raw"
    with pytest.raises(DataError, match=f"is damaged.*apt install --reinstall dataset-fashion-mnist.*into {own}"):
        load_source("fashion-mnist", tmp_path / "data")


@pytest.mark.usefixtures("offline")
def test_without_any_copy_the_message_says_what_to_do(tmp_path: Path) -> None:
    assert not is_here("fashion-mnist", tmp_path)
    with pytest.raises(DataError) as caught:
        load_source("fashion-mnist", tmp_path)
    message = str(caught.value)
    assert "apt install dataset-fashion-mnist" in message
    assert "digits-quick" in message
    assert "\n" not in message


@pytest.mark.parametrize("part", ["images", "labels"])
@pytest.mark.parametrize("damage", ["cut", "a bit turned", "text"])
def test_a_damaged_gzip_is_named(tmp_path: Path, part: str, damage: str) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    write_fashion_mnist(folder, ".gz")
    file = next(folder.glob(f"t10k-{part}*"))
    whole = bytearray(file.read_bytes())
    middle = len(whole) // 2
    damages = {"cut": whole[:middle], "a bit turned": whole[:10] + b"\xff" + whole[11:], "text": b"<html>gone</html>"}
    file.write_bytes(damages[damage])
    with pytest.raises(DataError, match=f"{file.name} is damaged") as raised:
        load_source("fashion-mnist", tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("labels", "words"), [(np.arange(20), "labels up to 19, but it has 10 classes"), (np.arange(0), "contain no image")]
)
def test_another_data_set_in_its_place_is_refused(tmp_path: Path, labels: np.ndarray, words: str) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    write_fashion_mnist(folder, "")
    write_idx(folder / "t10k-labels-idx1-ubyte", labels)
    write_idx(folder / "t10k-images-idx3-ubyte", np.zeros((len(labels), 28, 28)))
    with pytest.raises(DataError, match=words):
        load_source("fashion-mnist", tmp_path)


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    write_fashion_mnist(folder, "")
    write_idx(folder / "t10k-images-idx3-ubyte", np.zeros((20, 784)))
    with pytest.raises(DataError, match=r"shape \(20, 784\)"):
        load_source("fashion-mnist", tmp_path)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other type"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    write_fashion_mnist(folder, "")
    file = folder / "train-images-idx3-ubyte"
    whole = file.read_bytes()
    damages = {
        "cut": whole[:500],
        "empty": b"",
        "text": b"<html>not found</html>",
        "other type": b"\0\0\x0d" + whole[3:],
    }
    file.write_bytes(damages[damage])
    with pytest.raises(DataError, match="train-images-idx3-ubyte is damaged"):
        load_source("fashion-mnist", tmp_path)


def test_the_real_fashion_mnist(tmp_path: Path) -> None:
    if not is_here("fashion-mnist", tmp_path):
        if os.environ.get("CI"):
            pytest.fail("CI installs dataset-fashion-mnist, and it is not here")
        pytest.skip("no system copy of Fashion-MNIST; `sudo apt install dataset-fashion-mnist` brings one")
    source = load_source("fashion-mnist", tmp_path)
    assert source.train_images.shape == (60_000, 1, 28, 28)
    assert source.test_images.shape == (10_000, 1, 28, 28)
    assert np.bincount(source.train_labels).tolist() == [6000] * 10
    assert source.train_images.mean() / 255 == pytest.approx(0.2860, abs=1e-4)  # the value everyone normalises with
    assert source.train_images.std() / 255 == pytest.approx(0.3530, abs=1e-4)


def test_digits_are_always_here() -> None:
    source = load_source("digits", Path("nowhere"))
    assert (len(source.train_labels), len(source.test_labels)) == (1437, 360)
    assert source.train_images.max() == 255
    assert load_source("digits", Path("nowhere")).content_hash == source.content_hash


def test_splits_are_disjoint_stratified_and_seeded() -> None:
    labels = np.repeat(np.arange(10), 100)
    train, val = split_indices(labels, fraction=0.5, val_fraction=0.2, seed=3)
    assert (len(train), len(val)) == (400, 100)
    assert not set(train) & set(val)
    assert np.bincount(labels[train]).tolist() == [40] * 10
    assert np.bincount(labels[val]).tolist() == [10] * 10
    again, _ = split_indices(labels, fraction=0.5, val_fraction=0.2, seed=3)
    other, _ = split_indices(labels, fraction=0.5, val_fraction=0.2, seed=4)
    assert np.array_equal(train, again)
    assert not np.array_equal(train, other)


def test_too_small_a_share_is_one_sentence() -> None:
    with pytest.raises(SpecError, match="too few images of a class"):
        load_data(DataSpec(source="digits", img_size=16, fraction=0.006), Path("nowhere"))


def test_statistics_are_those_of_the_training_pixels() -> None:
    data = load_data(DataSpec(source="digits", img_size=16), Path("nowhere"))
    pixels = data.train.images.double() / 255
    assert data.mean == pytest.approx((pixels.mean().item(),))
    assert data.std == pytest.approx((pixels.std(correction=0).item(),))


@pytest.mark.parametrize(("normalization", "mean", "std"), [("half", 0.5, 0.5), ("imagenet", 0.449, 0.226)])
def test_statistics_may_be_constants(normalization: Literal["half", "imagenet"], mean: float, std: float) -> None:
    data = load_data(DataSpec(source="digits", img_size=16, normalization=normalization), Path("nowhere"))
    assert (data.mean, data.std) == (pytest.approx((mean,)), pytest.approx((std,)))


def test_what_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "total_memory", lambda: 0)
    with pytest.raises(DataError, match=r"1,797 images of 16 px need 0\.0 GB.*make data\.fraction"):
        load_data(DataSpec(source="digits", img_size=16), Path("nowhere"))
