"""From a source to what a run trains on: a seeded subset, cut into train and validation, resized, with statistics.

N images, C channels, S img_size
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from deit_core.data.sources import load_source
from deit_core.data.stratified import stratified_split
from deit_core.errors import SpecError
from deit_core.spec import DataSpec


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

    Raises: DataError where the source cannot be had; SpecError where the subset is too small to cut.
    """
    source = load_source(spec.source, data_dir)
    train_indices, val_indices = split_indices(source.train_labels, spec.fraction, spec.val_fraction, spec.split_seed)

    def split(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Split:
        return Split(resize(torch.tensor(images), spec.img_size), torch.tensor(labels))

    train = split(source.train_images[train_indices], source.train_labels[train_indices])
    val = split(source.train_images[val_indices], source.train_labels[val_indices])
    mean, std = _statistics(train.images) if spec.normalization == "computed" else _half(train.images.shape[1])
    test = split(source.test_images, source.test_labels)
    return ImageData(train, val, test, source.classes, mean, std, source.content_hash)


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
        raise SpecError(
            f"data.fraction {fraction:g} with data.val_fraction {val_fraction:g} leaves too few images of a class "
            f"({error}); make data.fraction larger."
        ) from None
    return indices[train], indices[val]


def resize(images: Tensor, img_size: int) -> Tensor:
    """Resize uint8 images (N, C, height, width) to (N, C, img_size, img_size), smoothly, within 0..255."""
    if images.shape[-2:] == (img_size, img_size):
        return images
    resized = F.interpolate(images.float(), (img_size, img_size), mode="bilinear", antialias=True)
    return resized.round_().to(torch.uint8)


def _statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
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
