"""Folders too large for the memory: chosen by themselves, bounded in memory, and the same runs to the last bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import spec_of, write_images
from PIL import Image
from torch import Tensor

from deit_core.data import ImageData, load_data
from deit_core.data.sources.folder_images import FolderImages, map_ahead
from deit_core.errors import DataError
from deit_core.events import EpochDone, Event, RunFinished, RunStarted, StepDone
from deit_core.layout import RunFiles
from deit_core.models import load_checkpoint
from deit_core.spec import DistillationSpec, RunSpec, replace
from deit_core.training import train

_IN_FILES_GB = 0.0


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """20 images of each of three classes."""
    write_images(tmp_path / "animals", 20)
    return tmp_path / "animals"


def test_what_takes_more_memory_than_is_allowed_stays_in_its_files(animals: Path) -> None:
    spec = spec_of(animals, val_fraction=0.25, fraction=0.8)
    size = 50 * 3 * 16 * 16  # 48 of which fit the fraction, 12 the test
    loaded = [load_data(spec, animals.parent, memory_bytes=limit) for limit in (size, size - 10_000)]
    resident, streamed = loaded
    assert isinstance(resident.train.images, Tensor)
    for split in ("train", "val", "test"):
        here, there = getattr(resident, split), getattr(streamed, split)
        assert isinstance(there.images, FolderImages)
        assert torch.equal(here.labels, there.labels)
        assert torch.equal(here.images, torch.from_numpy(np.asarray(there.images)))
    assert same_facts(resident) == same_facts(streamed)
    again = load_data(spec, animals.parent, memory_bytes=0)
    assert same_facts(again) == same_facts(streamed), "the statistics as they were remembered"


def same_facts(data: ImageData) -> tuple[object, ...]:
    return data.mean, data.std, data.classes, data.content_hash, data.in_chans


def full_recipe(spec: RunSpec, folder: Path) -> RunSpec:
    changes = {
        "data.source": "folder",
        "data.path": str(folder),
        "optim.epochs": 2,
        "optim.batch_size": 7,
        "compute.num_threads": 1,
        "optim.ema": "separate",
        "augment.horizontal_flip": True,
        "augment.random_erasing": 0.25,
        "augment.mixup_alpha": 0.8,
        "augment.cutmix_alpha": 1.0,
        "augment.repeated_aug": 3,
        "augment.test_flip": True,
    }
    return replace(spec, changes)


def numbers(events: list[Event]) -> list[dict[str, float]]:
    """All that was measured, but for the speed."""
    caught = [event.metrics for event in events if isinstance(event, StepDone | EpochDone | RunFinished)]
    return [{name: value for name, value in metrics.items() if name != "images_per_s"} for metrics in caught]


def weights(run_dir: Path) -> dict[str, Tensor]:
    return {
        f"{file.name} {name}": value
        for file in (RunFiles(run_dir).best, RunFiles(run_dir).last)
        for name, value in load_checkpoint(file).state_dict().items()
    }


_KILLED = """
import os, signal, sys
from pathlib import Path
from deit_core.spec import RunSpec
from deit_core.training import train
spec = RunSpec.model_validate_json(Path(sys.argv[1], "spec.json").read_text())
events = train(spec, run_dir=Path(sys.argv[1], "streamed"), data_dir=sys.argv[1], group_s=0, images_gb=0)
for _ in range(20):
    print(type(next(events)).__name__, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_streamed_run_that_was_killed_is_the_run_in_memory_bit_for_bit(
    animals: Path, tmp_path: Path, tiny: RunSpec
) -> None:
    spec = full_recipe(tiny, animals)
    resident = list(train(spec, run_dir=tmp_path / "resident", data_dir=tmp_path, group_s=0))
    often = replace(spec, {"compute.checkpoint_interval_s": 1e-6})
    (tmp_path / "spec.json").write_text(often.model_dump_json())
    command = [sys.executable, "-c", _KILLED, str(tmp_path)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout.split().count("EpochDone") == 1
    resumed = list(
        train(often, run_dir=tmp_path / "streamed", data_dir=tmp_path, group_s=0, images_gb=_IN_FILES_GB, resume=True)
    )
    assert isinstance(resident[0], RunStarted)
    assert isinstance(resumed[0], RunStarted)
    assert (resident[0].streamed, resumed[0].streamed) == (False, True)
    assert resumed[0].first_step > resumed[0].steps_per_epoch
    assert numbers(resident)[-len(numbers(resumed)) :] == numbers(resumed)
    first, second = weights(tmp_path / "resident"), weights(tmp_path / "streamed")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_a_teacher_said_of_images_in_memory_serves_a_streamed_student(
    animals: Path, tmp_path: Path, tiny: RunSpec
) -> None:
    changes = {"data.source": "folder", "data.path": str(animals), "optim.epochs": 1, "augment.crop_padding": 0}
    teacher = replace(tiny, changes)
    list(train(teacher, run_dir=tmp_path / "runs" / "teacher", data_dir=tmp_path))
    student = replace(teacher, {"name": "student", "distillation": DistillationSpec(teacher="teacher"), "seed": 1})
    caught = {}
    for name, images_gb in (("first", None), ("second", _IN_FILES_GB)):
        events = list(
            train(student, run_dir=tmp_path / "runs" / name, data_dir=tmp_path, group_s=0, images_gb=images_gb)
        )
        caught[name] = [event.metrics for event in events if isinstance(event, StepDone)]
    assert all(metrics["teacher_hit_rate"] == 0 for metrics in caught["first"])
    assert all(metrics["teacher_hit_rate"] == 1 for metrics in caught["second"])
    assert [metrics["train_loss"] for metrics in caught["first"]] == [
        metrics["train_loss"] for metrics in caught["second"]
    ]


_MEASURED = """
import resource, sys
from pathlib import Path
import torch
from deit_core.data import TrainBatches, eval_batches, load_data
from deit_core.spec import AugmentSpec, DataSpec
spec = DataSpec(source="folder", path="many", img_size=512)
data_dir, cpu = Path(sys.argv[1]), torch.device("cpu")
load_data(spec.with_changes(path="few"), data_dir, memory_bytes=0)  # whatever is loaded late
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = load_data(spec, data_dir, memory_bytes=50e6)
batches = TrainBatches(data.train, 4, AugmentSpec(), 0, cpu)
num_seen = sum(len(batch.labels) for batch in batches.epoch(0))
num_seen += sum(len(labels) for _, labels in eval_batches(data.test, cpu, 4))
print(num_seen, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_the_memory_of_a_streamed_epoch_does_not_grow_with_the_folder(tmp_path: Path) -> None:
    Image.linear_gradient("L").convert("RGB").resize((64, 64)).save(tmp_path / "one.jpg")
    for folder, count in (("few", 20), ("many", 130)):
        for name in ("bee", "cow"):
            (tmp_path / folder / name).mkdir(parents=True)
            for number in range(count):
                os.link(tmp_path / "one.jpg", tmp_path / folder / name / f"{number:03}.jpg")
    command = [sys.executable, "-c", _MEASURED, str(tmp_path)]
    caught = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout.split()
    num_seen, growth_bytes = map(int, caught)
    assert num_seen > 200
    assert growth_bytes < 160e6, "260 images of 512 px take 204 MB, in memory they make it grow by 430"


def test_reading_ends_when_nobody_asks_for_more(animals: Path) -> None:
    asked: list[int] = []

    def note(item: int) -> int:
        asked.append(item)
        return item

    results = map_ahead(note, range(10_000), ahead=8)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()
    assert len(asked) <= 3 + 8


def test_a_folder_that_disappears_in_mid_training_is_a_sentence_and_the_run_goes_on_when_it_is_back(
    animals: Path, tmp_path: Path, tiny: RunSpec
) -> None:
    spec = full_recipe(tiny, animals)
    events = train(spec, run_dir=tmp_path / "run", data_dir=tmp_path, group_s=0, images_gb=_IN_FILES_GB)
    while not isinstance(next(events), EpochDone):
        pass
    animals.rename(tmp_path / "gone")
    with pytest.raises(DataError, match=r"animals.* is not there any more.*resume the run") as caught:
        list(events)
    assert "\n" not in str(caught.value)
    (tmp_path / "gone").rename(animals)
    *_, last = train(spec, run_dir=tmp_path / "run", data_dir=tmp_path, resume=True, images_gb=_IN_FILES_GB)
    assert isinstance(last, RunFinished)
