"""How fast a folder of JPEGs becomes batches: from its files, from memory, by torchvision's way, and by decoding alone.

Images per second into float batches of 224 px, with nothing training, on all cores. Ours reads with threads;
torchvision's ImageFolder and DataLoader have two worker processes, started before the clock. All are measured in turn,
round by round; ratios are medians over the rounds.
"""

import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader

from deit_core.data import Split, TrainBatches
from deit_core.data.sources.folder_images import FolderImages
from deit_core.machine.limits import num_cores
from deit_core.spec import AugmentSpec
from deit_core.torchvision_ops import torchvision, v2

_SIZE, _BATCH, _WORKERS = 224, 32, 2
_SIDES = 500, 375  # as most images of ImageNet
_QUALITY = 95  # about 100 KB, as those have
_CPU = torch.device("cpu")
_CROPS = AugmentSpec(crop_padding=0, horizontal_flip=True, resized_crop=0.08)
RECIPES = {
    "plain": AugmentSpec(crop_padding=0),
    "resized crop": _CROPS,
    "full": _CROPS.with_changes(randaugment_ops=2, random_erasing=0.25),
}


def measure(long: bool = False) -> Iterator[dict[str, object]]:
    """A row for each recipe: 20,000 JPEGs in the long form, 1,600 in the short one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder, 20_000 if long else 1_600)
        yield from compare(folder, num_rounds=3 if long else 5)


def compare(folder: Path, num_rounds: int) -> Iterator[dict[str, object]]:
    """A row for each recipe, and one for decoding alone."""
    files = sorted(folder.glob("*/*.jpg"))
    images, labels = FolderImages(files, _SIZE, 3), torch.zeros(len(files), dtype=torch.int64)
    in_memory = torch.from_numpy(images[:])
    for recipe, spec in RECIPES.items():
        streamed = TrainBatches(Split(images, labels), _BATCH, spec, 0, _CPU)
        resident = TrainBatches(Split(in_memory, labels), _BATCH, spec, 0, _CPU)
        loader = _loader(folder, recipe)
        ways: dict[str, Callable[[], float]] = {
            "streamed": lambda batches=streamed: _speed(iter(batches.epoch(0))),  # type: ignore[misc]
            "memory": lambda batches=resident: _speed(iter(batches.epoch(0))),  # type: ignore[misc]
            "dataloader": lambda batches=loader: _speed(iter(batches)),  # type: ignore[misc]
            "opencv": lambda: _decoding_speed(files, _by_opencv),
            "pillow": lambda: _decoding_speed(files, _by_pillow),
        }
        rounds = [{way: speed() for way, speed in ways.items()} for _ in range(num_rounds)]
        row: dict[str, object] = {"recipe": recipe, "images": len(files)}
        row |= {f"{way}_per_s": round(statistics.median(one[way] for one in rounds)) for way in ways}
        for way, other in (("streamed", "dataloader"), ("memory", "dataloader"), ("streamed", "opencv")):
            row[f"{way}_over_{other}"] = round(statistics.median(one[way] / one[other] for one in rounds), 2)
        yield row


def write_photographs(folder: Path, count: int) -> None:
    """JPEGs of two classes: cuts of two photographs, mirrored, lighter or darker, with the grain of a sensor."""
    rng, (width, height) = np.random.default_rng(0), _SIDES
    photographs = load_sample_images().images
    for number in range(count):
        photograph = photographs[number % 2]
        top, left = (rng.integers(0, room + 1) for room in np.subtract(photograph.shape[:2], (height, width)))
        cut = photograph[top : top + height, left : left + width, ::-1]
        grain = rng.standard_normal(cut.shape, np.float32) * 6
        pixels = (cut[:, :: rng.choice((-1, 1))] * rng.uniform(0.7, 1.2) + grain).clip(0, 255).astype(np.uint8)
        (folder / "ab"[number % 2]).mkdir(exist_ok=True)
        file = folder / "ab"[number % 2] / f"{number:05}.jpg"
        cv2.imwrite(str(file), pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


def _loader(folder: Path, recipe: str) -> "DataLoader[object]":
    """torchvision's way to the same views, as its reference recipe for ImageNet has it."""
    end = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]
    crops = [v2.RandomResizedCrop(_SIZE, interpolation=v2.InterpolationMode.BICUBIC), v2.RandomHorizontalFlip()]
    steps = {
        "plain": [v2.Resize(_SIZE), v2.CenterCrop(_SIZE), *end],
        "resized crop": [*crops, *end],
        "full": [*crops, v2.RandAugment(), *end, v2.RandomErasing(0.25)],
    }[recipe]
    images = torchvision.datasets.ImageFolder(str(folder), v2.Compose(steps))
    return DataLoader(images, _BATCH, shuffle=True, num_workers=_WORKERS, drop_last=True, persistent_workers=True)


def _speed(batches: Iterator[object]) -> float:
    """Images per second from the first batch on: by then processes have started."""
    next(batches)
    start = time.perf_counter()
    num_batches = sum(1 for _ in batches)
    return num_batches * _BATCH / (time.perf_counter() - start)


def _decoding_speed(files: list[Path], decode: Callable[[bytes], object]) -> float:
    start = time.perf_counter()
    with ThreadPoolExecutor(num_cores()) as threads:
        for _ in threads.map(lambda file: decode(file.read_bytes()), files):
            pass
    return len(files) / (time.perf_counter() - start)


def _by_opencv(content: bytes) -> object:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def _by_pillow(content: bytes) -> object:
    return np.asarray(Image.open(io.BytesIO(content)))
