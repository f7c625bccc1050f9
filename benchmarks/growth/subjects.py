"""What grows: each function makes something of a size, in an empty folder, and returns the call that is measured.

Sizes are images, tokens, classes, layers, files, runs or points, as the sections say. Weights and images are noise.
"""

import shutil
import struct
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.growth import made
from dashboard.curves.charts import CHARTS
from dashboard.curves.figure import Curve, figure
from deit_core import presets
from deit_core.attention.flow.rollout import rollout_matrix
from deit_core.data import TrainBatches, load_data, open_source
from deit_core.data.sources.findings import FINDINGS
from deit_core.data.sources.idx import FILES
from deit_core.data.sources.progress import no_progress
from deit_core.data.splits import split_indices
from deit_core.distillation import soft_distillation
from deit_core.events import StepDone
from deit_core.image_folders import list_folder
from deit_core.run_files import curve_file
from deit_core.runs import Status, enqueue, queue
from deit_core.runs.curves import Curves
from deit_core.spec import AugmentSpec, DataSpec, OptimSpec
from deit_core.training.evaluation import evaluate
from deit_core.training.logit_table import open_table
from deit_core.training.optim import build_optimizer

Call = Callable[[], object]

_CPU = torch.device("cpu")
# Images


def load_images(size: int, folder: Path) -> Call:
    """Reading, hashing and splitting a data set of files with many images."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for number, count in enumerate((size, size // 10)):
        labels = (np.arange(count) % made.NUM_CLASSES).astype(np.uint8)
        for name, array in zip(FILES[2 * number :], (made.images(count).numpy()[:, 0], labels), strict=False):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (raw / name).write_bytes(header + array.tobytes())
    return lambda: load_data(DataSpec(), folder)


def epoch_of_views(size: int, _folder: Path) -> Call:
    """All batches of an epoch, cropped and mirrored."""
    split, augment = made.split(size), AugmentSpec(crop_padding=2, horizontal_flip=True)
    return lambda: deque(TrainBatches(split, 128, augment, 0, _CPU).epoch(0), maxlen=0)


def evaluation(size: int, _folder: Path, num_classes: int = made.NUM_CLASSES) -> Call:
    """Loss and accuracy over all images, of a model of one layer."""
    split, model = made.split(size), nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, num_classes))
    return lambda: evaluate(model, split, lambda pixels: pixels - 0.5, _CPU, "val")


def logits_of_views(size: int, folder: Path, num_classes: int = made.NUM_CLASSES) -> Call:
    """A teacher's logits for one view of each image, of 50, written and read again."""
    table = open_table(folder, {}, (50 * size, num_classes), "float32", float("inf"))
    numbers, logits = 50 * torch.arange(size), torch.randn(size, num_classes)

    def write_and_read() -> None:
        for rows, values in zip(numbers.split(128), logits.split(128), strict=True):
            table.write(rows, values)
            table.read(rows)

    return write_and_read


# Tokens


def training_step(size: int, _folder: Path) -> Call:
    """Forward and backward of four images."""
    model = made.vit(size).train()
    pixels = torch.rand(4, 1, *model.img_size)
    return lambda: model(pixels).logsumexp(-1).sum().backward()


def attention_given(size: int, _folder: Path) -> Call:
    """The attention of one image."""
    model = made.vit(size).eval()
    pixels = torch.rand(1, 1, *model.img_size)
    return torch.no_grad()(lambda: model(pixels, return_attention=True))


def slider_prepared(size: int, _folder: Path) -> Call:
    """Links ranked for a slider of discard ratios."""
    return lambda: made.prepared_rollout(size)


def slider_moved(size: int, _folder: Path) -> Call:
    """A move of the slider."""
    prepared = made.prepared_rollout(size)
    return lambda: prepared.map(discard_ratio=0.9)


def layers_multiplied(size: int, _folder: Path) -> Call:
    """The rollout as a product of matrices, which checks the vectors that the page uses."""
    attention, grid = made.attention(size), made.grid_of(size)
    return lambda: rollout_matrix(attention, num_prefix_tokens=1, grid_size=(grid, grid))


# Classes


def evaluation_of_classes(size: int, folder: Path) -> Call:
    return evaluation(2000, folder, num_classes=size)


def logits_of_classes(size: int, folder: Path) -> Call:
    return logits_of_views(2000, folder, num_classes=size)


def soft_loss(size: int, _folder: Path) -> Call:
    """The soft distillation loss of a batch, and its gradient."""
    student, teacher = torch.randn(128, size, requires_grad=True), torch.randn(128, size)
    return lambda: soft_distillation(student, teacher, tau=2.0).backward()


def stratified(size: int, _folder: Path) -> Call:
    """A split of 100,000 labels into training and validation."""
    labels = np.arange(100_000) % size
    return lambda: split_indices(labels, 0.5, 0.1, 0)


# Layers


def step_of_layers(size: int, _folder: Path) -> Call:
    model = made.vit(65, depth=size).train()
    pixels = torch.rand(4, 1, *model.img_size)
    return lambda: model(pixels).logsumexp(-1).sum().backward()


def muon_of_layers(size: int, _folder: Path) -> Call:
    """A step of Muon and AdamW."""
    model = made.vit(65, depth=size)
    optimizer = build_optimizer(model, OptimSpec(optimizer="muon"))
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    return optimizer.step


def slider_of_layers(size: int, _folder: Path) -> Call:
    prepared = made.prepared_rollout(257, depth=size)
    return lambda: prepared.map(discard_ratio=0.9)


# Files


def folder_listed(size: int, folder: Path) -> Call:
    """Classes and images of a folder, from names alone."""
    made.write_files(size, folder)
    return lambda: list_folder(folder / "images")


def folder_read_first(size: int, folder: Path) -> Call:
    """All files read: their hash, copies among them, grey of many bits."""
    spec = made.write_files(size, folder)

    def read() -> None:
        shutil.rmtree(folder / FINDINGS, ignore_errors=True)
        open_source(spec, folder).hash_content(no_progress)

    return read


def folder_recognised(size: int, folder: Path) -> Call:
    """The same again, by size and time of each file."""
    spec = made.write_files(size, folder)
    time.sleep(2.1)  # younger files are read again
    open_source(spec, folder).hash_content(no_progress)
    return lambda: open_source(spec, folder).hash_content(no_progress)


def folder_decoded(size: int, folder: Path) -> Call:
    """All images decoded and split."""
    spec = made.write_files(size, folder)
    return lambda: load_data(spec, folder)


# Runs


def runs_listed(size: int, folder: Path) -> Call:
    return made.store_of(size, folder).runs


def run_found(size: int, folder: Path) -> Call:
    """One run by the beginning of its id."""
    store = made.store_of(size, folder)
    return lambda: store.run("a000000f")


def run_claimed(size: int, folder: Path) -> Call:
    """A worker takes a run, and puts it back."""
    store = made.store_of(size, folder)
    registered = queue.register(store, num_slots=None)
    assert registered is not None

    def claim() -> None:
        run = queue.claim(store, registered[0])
        assert run is not None
        store.set_status(run.id, Status.QUEUED)

    return claim


def run_submitted(size: int, folder: Path) -> Call:
    store = made.store_of(size, folder)
    return lambda: enqueue(store, presets.smoke())


# Points


def points_read(size: int, folder: Path) -> Call:
    """The whole curve of a run."""
    store, run_id = made.run_of(size, folder)
    return lambda: Curves(store).read(run_id)


def news_read(size: int, folder: Path) -> Call:
    """A page asks for points of a run that it has read."""
    store, run_id = made.run_of(size, folder)
    curves = Curves(store)
    curves.read(run_id)
    return lambda: curves.read(run_id)


def curve_drawn(size: int, folder: Path) -> Call:
    """The figure of the loss, smoothed and thinned."""
    store, run_id = made.run_of(size, folder)
    curve = Curve(store.run(run_id), Curves(store).of(store.run(run_id)))
    return lambda: figure(CHARTS["Loss"], [curve], axis="epoch", smoothing=0.6)


def curve_file_read(size: int, folder: Path) -> Call:
    """The curve in the run's folder, as a resume reads it."""
    file = folder / "curve.jsonl"
    curve_file.append(file, *(StepDone(step, 1, step / 2, {"train_loss": 1 / step}) for step in range(1, size + 1)))
    return lambda: curve_file.counting(curve_file.read(file))
