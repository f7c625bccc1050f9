"""From a source to what a run trains on: a seeded subset, cut into train and validation, resized, with statistics.

N images, C channels, S img_size
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.data.folder import open_source
from deit_core.data.resizing import resize
from deit_core.data.sources import Source
from deit_core.data.stratified import stratified_split
from deit_core.errors import DataError, SpecError
from deit_core.spec import DataSpec

_MEMORY_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 (N, C, S, S) and their labels int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class ImageData:
    """The three splits of a run, and what a model reads pixels with: `mean` and `std` per channel, of [0, 1]."""

    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    content_hash: str

    @property
    def in_chans(self) -> int:
        return int(self.train.images.shape[1])


def load_data(spec: DataSpec, data_dir: Path) -> ImageData:
    """Load, cut and resize what `spec` asks for. Test is never touched by the choice of a subset.

    Raises: DataError where the source cannot be had, or does not fit into memory; SpecError where the subset is too
        small to cut.
    """
    source = open_source(spec, data_dir)
    train_indices, val_indices = cut(source, spec)
    num_images = len(train_indices) + len(val_indices) + len(source.test_labels)
    _check_memory(num_images, len(source.test_images[0]), spec.img_size)

    def split(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Split:
        return Split(resize(torch.tensor(images), spec.img_size), torch.tensor(labels))

    train = split(source.train_images[train_indices], source.train_labels[train_indices])
    val = split(source.train_images[val_indices], source.train_labels[val_indices])
    mean, std = pixel_statistics(train.images) if spec.normalization == "computed" else _half(train.images.shape[1])
    test = split(np.asarray(source.test_images), source.test_labels)
    return ImageData(train, val, test, source.classes, mean, std, source.content_hash)


def cut(source: Source, spec: DataSpec) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the training and validation images that a spec takes of a source.

    Raises: SpecError where the subset is too small to cut.
    """
    if source.val_positions is None:
        return split_indices(source.train_labels, spec.fraction, spec.val_fraction, spec.split_seed)
    others = np.setdiff1d(np.arange(len(source.train_labels)), source.val_positions)
    if spec.fraction < 1:
        num_left_out = len(others) - math.floor(spec.fraction * len(others))
        try:
            kept, _ = stratified_split(source.train_labels[others], num_left_out, spec.split_seed)
        except ValueError as error:
            raise _too_few(f"data.fraction {spec.fraction:g}", error) from None
        others = others[kept]
    return others, source.val_positions


def split_indices(
    labels: NDArray[np.int64], fraction: float, val_fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the train and validation images: disjoint, each with the classes in the proportions of `labels`."""
    indices = np.arange(len(labels))
    try:
        if fraction < 1:
            indices, _ = stratified_split(labels, len(labels) - math.floor(fraction * len(labels)), seed)
        train, val = stratified_split(labels[indices], math.ceil(val_fraction * len(indices)), seed)
    except ValueError as error:
        raise _too_few(f"data.fraction {fraction:g} with data.val_fraction {val_fraction:g}", error) from None
    return indices[train], indices[val]


def _too_few(shares: str, error: ValueError) -> SpecError:
    return SpecError(
        f"{shares} leaves too few images of a class ({error}); make data.fraction larger, or "
        "data.val_fraction where images are few."
    )


def _check_memory(num_images: int, in_chans: int, img_size: int) -> None:
    needed, limit = num_images * in_chans * img_size**2, _MEMORY_SHARE * psutil.virtual_memory().total
    if needed > limit:
        raise DataError(
            f"{num_images:,} images of {img_size} px take {needed / 1e9:.1f} GB, and data may take {limit / 1e9:.1f} "
            "GB, half of this machine's memory; make data.fraction or data.img_size smaller."
        )


def pixel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, exact: counted over the 256 values a pixel can have."""
    values = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten().int(), minlength=256).double() / channel.numel()
        mean = (share * values).sum()
        means.append(mean.item())
        stds.append(max((share * (values - mean) ** 2).sum().sqrt().item(), 1e-3))  # a black channel has no spread
    return tuple(means), tuple(stds)


def _half(num_channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (0.5,) * num_channels, (0.5,) * num_channels
