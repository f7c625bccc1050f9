"""A run keeps the pixel version that it began with, and its checkpoint says which one."""

from pathlib import Path

import pytest
import torch
from image_files import write_images
from torch import Tensor

from deit_core.data import load_data
from deit_core.data.sources.decoding import read_image
from deit_core.events import Event, RunFinished, StepDone
from deit_core.models import load_checkpoint, read_card
from deit_core.spec import RunSpec, replace
from deit_core.training import session, train


def recipe(spec: RunSpec, folder: Path) -> RunSpec:
    changes = {
        "data.source": "folder",
        "data.path": str(folder),
        "optim.epochs": 2,
        "optim.batch_size": 8,
        "augment.randaugment_ops": 2,
        "augment.random_erasing": 0.5,
        "augment.resized_crop": 0.5,
    }
    return replace(spec, changes)


def losses(events: list[Event]) -> list[float]:
    return [event.metrics["train_loss"] for event in events if isinstance(event, StepDone)]


def weights(run_dir: Path) -> dict[str, Tensor]:
    return dict(load_checkpoint(run_dir).state_dict())


def forget_version(run_dir: Path) -> None:
    """Make the saved state one of the time before there were versions."""
    for file in run_dir.glob("state*.pt"):
        state = torch.load(file, weights_only=True)
        del state["progress"]["pixel_version"]
        torch.save(state, file)


def test_a_run_goes_on_with_its_first_version_and_a_new_one_takes_the_newest(
    tmp_path: Path, tiny: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "animals", 12, size=(70, 50))
    spec = recipe(tiny, tmp_path / "animals")
    settings = {"data_dir": tmp_path, "group_s": 0}
    with monkeypatch.context() as before:
        before.setattr(session, "NEWEST_PIXELS", 1)
        undisturbed = list(train(spec, run_dir=tmp_path / "old", **settings))
        stopped = train(spec, run_dir=tmp_path / "stopped", **settings)
        while not isinstance(next(stopped), StepDone):
            pass
        stopped.close()
    forget_version(tmp_path / "stopped")
    rest = list(train(spec, run_dir=tmp_path / "stopped", resume=True, **settings))
    assert isinstance(rest[-1], RunFinished)
    assert losses(rest) == losses(undisturbed)[1:]
    first, second = weights(tmp_path / "old"), weights(tmp_path / "stopped")
    assert all(torch.equal(first[name], second[name]) for name in first)
    new = list(train(spec, run_dir=tmp_path / "new", **settings))
    assert losses(new) != losses(undisturbed)
    assert [read_card(tmp_path / name).pixel_version for name in ("old", "stopped", "new")] == [1, 1, 2]


def test_a_card_says_how_its_model_read_images(tmp_path: Path, tiny: RunSpec) -> None:
    list(train(replace(tiny, {"optim.epochs": 1}), run_dir=tmp_path / "digits", data_dir=tmp_path))
    assert read_card(tmp_path / "digits").pixel_version == 1, "only folders have files"
    write_images(tmp_path / "animals", 12, size=(70, 50))
    spec = recipe(tiny, tmp_path / "animals")
    data = load_data(spec.data, tmp_path, memory_bytes=0)
    file = data.test.images.files[0]
    seen = read_image(file.read_bytes(), img_size=spec.data.img_size, in_chans=3, version=data.pixel_version)
    assert (seen == data.test.images[0]).all()
