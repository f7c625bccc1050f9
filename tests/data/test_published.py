"""MNIST and CIFAR: files in the published formats are read, others are refused, and what is missing is a sentence."""

import errno
import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from published_files import LOADERS, write_cifar, write_idx

from deit_core.catalog import SOURCES
from deit_core.data import is_here, load_data, load_source
from deit_core.data.sources.idx import FILES
from deit_core.errors import DataError
from deit_core.spec import DataSpec
from deit_core.torchvision_ops import torchvision


def test_mnist_is_read_from_the_data_folder(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28))
    for name in FILES:
        write_idx(tmp_path / "MNIST" / "raw" / f"{name}.gz", images if "images" in name else np.arange(200) % 10)
    assert is_here("mnist", tmp_path)
    source = load_source("mnist", tmp_path)
    np.testing.assert_array_equal(source.train_images[:, 0], images)
    data = load_data(DataSpec(source="mnist"), tmp_path)
    assert (data.in_chans, data.classes, len(data.val)) == (1, tuple("0123456789"), 20)


def test_images_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    for name in FILES:
        write_idx(tmp_path / "MNIST" / "raw" / name, np.zeros((20, 28, 28)) if "images" in name else np.zeros(19))
    with pytest.raises(DataError, match=r"shape \(20, 28, 28\) and the file of its labels one of \(19,\)"):
        load_source("mnist", tmp_path)


def test_a_folder_that_lacks_a_file_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As after deleting a damaged file."""

    def write(folder: Path) -> None:
        for name in FILES:
            write_idx(folder / name, np.zeros((20, 28, 28)) if "images" in name else np.arange(20) % 10)

    write(tmp_path / "MNIST" / "raw")
    damaged = tmp_path / "MNIST" / "raw" / FILES[2]
    damaged.write_bytes(b"")
    with pytest.raises(DataError, match=f"{FILES[2]} is damaged.*delete the files in {damaged.parent}, then start"):
        load_source("mnist", tmp_path)
    damaged.unlink()
    monkeypatch.setattr(torchvision.datasets, "MNIST", lambda root, download: write(Path(root) / "MNIST" / "raw"))
    assert len(load_source("mnist", tmp_path).test_labels) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


@pytest.mark.parametrize("name", LOADERS)
def test_cifar_is_read_channels_first(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = write_cifar(monkeypatch, tmp_path, name)
    assert is_here(name, tmp_path)
    source = load_source(name, tmp_path)
    test_file = LOADERS[name].test_list[0][0]
    np.testing.assert_array_equal(source.test_images, written[test_file]["data"].reshape(-1, 3, 32, 32))
    key = "labels" if name == "cifar-10" else "fine_labels"
    assert source.test_labels.tolist() == written[test_file][key]
    assert len(source.train_labels) == 20 * len(LOADERS[name].train_list)
    assert source.classes == SOURCES[name].classes


def test_a_pickle_of_another_content_is_never_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_cifar(monkeypatch, tmp_path, "cifar-10")
    trace = tmp_path / "ran"

    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(DataError, match=r"their MD5 differs.*delete the folder"):
        load_source("cifar-10", tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "wrong keys", "other shapes"])
def test_damaged_cifar_files_are_refused(
    name: str, damage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One check covers all: what differs in a byte from what was published is not read."""
    written = write_cifar(monkeypatch, tmp_path, name)
    file = LOADERS[name].train_list[0][0]
    path = tmp_path / LOADERS[name].base_folder / file
    whole = path.read_bytes()
    damages = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"<html>not found</html>",
        "wrong keys": pickle.dumps({"pixels": written[file]["data"]}),
        "other shapes": pickle.dumps({**written[file], "data": written[file]["data"][:, :1024]}),
    }
    path.write_bytes(damages[damage])
    with pytest.raises(DataError, match=r"their MD5 differs.*delete the folder") as raised:
        load_source(name, tmp_path)
    assert "\n" not in str(raised.value)


def test_cifar_files_that_may_not_be_read_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_cifar(monkeypatch, tmp_path, "cifar-10")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "data_batch_1"))

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", denied)
    with pytest.raises(DataError, match="data_batch_1 cannot be read"):
        load_source("cifar-10", tmp_path)


@pytest.mark.parametrize("name", ["mnist", "cifar-10", "cifar-100"])
def test_without_files_or_network_a_sentence_says_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    for loader in LOADERS.values():
        monkeypatch.setattr(loader, "url", "http://127.0.0.1:9/cifar.tar.gz")
    assert not is_here(name, tmp_path)
    with pytest.raises(DataError) as caught:
        load_source(name, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{SOURCES[name].title} is not on this machine and could not be downloaded")
    assert str(tmp_path) in message
    assert "Download" in message
    assert "\n" not in message
    assert not list(tmp_path.glob(".download-*"))


def test_the_classes_are_in_the_order_of_their_numbers() -> None:
    names = SOURCES["cifar-100"].classes
    assert len(set(names)) == 100
    assert list(names) == sorted(names)
    assert SOURCES["cifar-10"].classes[3:6] == ("cat", "deer", "dog")
    assert all(re.fullmatch("[a-z_]+", name) for name in names)
