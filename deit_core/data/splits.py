"""From a source to the data of a run: a seeded subset, split into train and validation, resized, with statistics.

Images of a folder that need too much memory stay in their files; everything else is the same then.

N images, C channels, S img_size
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.catalog import IMAGENET_MEAN, IMAGENET_STD
from deit_core.catalog.pixel_versions import FIRST_PIXELS, NEWEST_PIXELS, PixelVersion
from deit_core.data.sources.findings import FINDINGS, key_of, remembered
from deit_core.data.sources.folder import open_source
from deit_core.data.sources.folder_images import FolderImages
from deit_core.data.sources.native_size import native_size
from deit_core.data.sources.progress import OnProgress, no_progress, with_progress
from deit_core.data.sources.resizing import resize
from deit_core.data.sources.source import Source
from deit_core.data.sources.stratified import stratified_split, stratified_subset
from deit_core.data.supply import in_order
from deit_core.errors import DataError, SpecError
from deit_core.machine.limits import total_memory
from deit_core.memory import FOLDER_SHARE
from deit_core.spec import DataSpec

_MEMORY_SHARE = 0.5
_PIECE, _COUNTED_AT_ONCE = 8, 4096  # images that are counted at once, from files and in memory
READ_AT_ONCE = 256  # images


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 (N, C, S, S), in memory or in their files, and their labels int64 (N,); -1 where it is not known.

    in_epoch: gives the images of an epoch, where each epoch has its own; `images` are those of epoch 0.
    """

    images: Tensor | FolderImages
    labels: Tensor
    in_epoch: Callable[[int], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, which: slice) -> "Split":
        """Some of the images."""
        images = self.images
        chosen = images[which] if isinstance(images, Tensor) else images.take(np.arange(len(self))[which])
        return Split(chosen, self.labels[which])

    def labelled(self) -> "Split":
        """The images whose labels are known."""
        known = self.labels >= 0
        if bool(known.all()):
            return self
        images = self.images
        chosen = images[known] if isinstance(images, Tensor) else images.take(np.flatnonzero(known.numpy()))
        return Split(chosen, self.labels[known])


@dataclass(frozen=True, eq=False)
class ImageData:
    """The three splits of a run, and `mean` and `std` per channel of the pixels in [0, 1].

    `drawn_from` is the hash of the images that validation was drawn from; empty where a folder has its own val and
    test. `native_size` is the side of the source's images in pixels, as `deit_core.data.sources.native_size` has it.
    `pixel_version` is that of files: data sets that are no folder have the first. `notes` are sentences for the
    user.
    """

    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    content_hash: str
    drawn_from: str
    pixel_version: PixelVersion = FIRST_PIXELS
    notes: tuple[str, ...] = ()
    native_size: int = 0

    @property
    def in_chans(self) -> int:
        return int(self.train.images.shape[1])


def load_data(
    spec: DataSpec,
    data_dir: Path,
    memory_bytes: float | None = None,
    on_progress: OnProgress = no_progress,
    version: PixelVersion = NEWEST_PIXELS,
    *,
    keeps_unlabelled: bool = False,
) -> ImageData:
    """Load, split and resize the images of `spec`. The choice of a subset never changes the test images.

    Args:
        memory_bytes: a folder whose images need more stays in its files; None is a quarter of this machine's memory.
        on_progress: called with the progress, where many files are read.
        version: of the pixels that a folder's files become.
        keeps_unlabelled: whether training images without a label are among the training images, or left out.
    Raises: DataError where the source cannot be loaded, or does not fit into memory and is not a folder; SpecError
        where the subset is too small to split.
    """
    source = open_source(spec, data_dir, on_progress, version)
    version = version if spec.source == "folder" else FIRST_PIXELS
    content_hash = source.hash_content(on_progress)
    train_indices, val_indices = cut(source, spec)
    train_labels = source.train_labels
    if spec.labelled_fraction < 1:
        known, val_indices = (draw_labelled(source, spec, indices) for indices in (train_indices, val_indices))
        train_labels = _only_at(known, train_labels)
        train_indices = train_indices if keeps_unlabelled else known
    notes = (*source.notes, *source.warn(train_indices, val_indices, on_progress))
    num_images = len(train_indices) + len(val_indices) + len(source.test_labels)
    streams = is_streamed(source, num_images, spec.img_size, memory_bytes)

    def split(
        name: str, images: NDArray[np.uint8] | FolderImages, labels: NDArray[np.int64], chosen: NDArray[np.int64]
    ) -> Split:
        if isinstance(images, FolderImages):
            files = images.take(chosen)
            return Split(files if streams else _in_memory(files, name, on_progress), torch.tensor(labels[chosen]))
        return Split(resize(torch.tensor(images[chosen]), spec.img_size), torch.tensor(labels[chosen]))

    train = split("training", source.train_images, train_labels, train_indices)
    if (in_epoch := source.in_epoch) is not None:
        train = replace(
            train, in_epoch=lambda epoch: resize(torch.tensor(in_epoch(epoch)[train_indices]), spec.img_size)
        )
    val = split("validation", source.train_images, source.train_labels, val_indices)
    if spec.normalization != "computed":
        mean, std = _constants(spec.normalization, train.images.shape[1])
    elif streams:
        facts = "statistics", content_hash, spec.split, spec.img_size, version
        pieces = in_order(train.images, _PIECE)
        pieces = with_progress(
            pieces, "Computing mean and standard deviation of the pixels", len(train), on_progress, piece=_PIECE
        )
        statistics = remembered(data_dir / FINDINGS, key_of(facts), lambda: pixel_statistics(pieces))
        mean, std = map(tuple, statistics)
    else:
        mean, std = pixel_statistics(in_order(train.images, _COUNTED_AT_ONCE))
    test = split("test", source.test_images, source.test_labels, np.arange(len(source.test_labels)))
    drawn_from = content_hash if source.val_positions is None else ""
    return ImageData(
        *(train, val, test, source.classes, mean, std, content_hash, drawn_from, version, notes),
        native_size=native_size(source),
    )


def _in_memory(images: FolderImages, name: str, on_progress: OnProgress) -> Tensor:
    whole, begin = torch.empty(images.shape, dtype=torch.uint8), 0
    pieces = in_order(images, READ_AT_ONCE)
    for piece in with_progress(pieces, f"Reading the {name} images", len(images), on_progress, piece=READ_AT_ONCE):
        whole[begin : begin + len(piece)] = piece
        begin += len(piece)
    return whole


def memory_for_images(device: torch.device | None = None) -> float:
    """Bytes that the images of a folder may take: a quarter of this machine's memory, or of a GPU's if that is less."""
    total = total_memory()
    if device is not None and device.type == "cuda":
        total = min(total, torch.cuda.get_device_properties(device).total_memory)
    return FOLDER_SHARE * total


def is_streamed(source: Source, num_images: int, img_size: int, memory_bytes: float | None = None) -> bool:
    """Whether a run reads `num_images` of a source from their files in every epoch, as they need too much memory.

    Raises: DataError where they need half of this machine's memory and the source is not a folder.
    """
    needed = num_images * source.test_images.shape[1] * img_size**2
    if isinstance(source.train_images, FolderImages):
        return bool(needed > (memory_for_images() if memory_bytes is None else memory_bytes))
    limit = _MEMORY_SHARE * total_memory()
    if needed > limit:
        raise DataError(
            f"{num_images:,} images of {img_size} px need {needed / 1e9:.1f} GB, and at most {limit / 1e9:.1f} GB are "
            f"allowed, half of this machine's memory; make data.fraction or data.img_size smaller."
        )
    return False


def cut(source: Source, spec: DataSpec) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the training and validation images of a spec in its source.

    Raises: SpecError where the subset is too small to split.
    """
    if source.val_positions is None:
        return split_indices(source.train_labels, spec.fraction, spec.val_fraction, spec.split_seed)
    others = np.setdiff1d(np.arange(len(source.train_labels)), source.val_positions)
    try:
        kept = _subset(source.train_labels[others], spec.fraction, spec.split_seed)
    except ValueError as error:
        raise too_few(f"data.fraction {spec.fraction:g}", error) from None
    return others[kept], source.val_positions


def draw_labelled(source: Source, spec: DataSpec, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the training or validation images `indices` whose labels are known, in their order.

    Of images that show the same thing as many are labelled for each, the first ones.

    Raises: SpecError where a class has none.
    """
    labels = source.train_labels[indices]
    if source.twins is not None:
        num_labelled = max(1, round(spec.labelled_fraction * (1 + int(source.twins.max()))))
        chosen = source.twins[indices] < num_labelled
    else:
        chosen = np.zeros(len(indices), bool)
        try:
            chosen[stratified_subset(labels, math.floor(spec.labelled_fraction * len(indices)), spec.split_seed)] = True
        except ValueError as error:
            raise SpecError(
                f"data.labelled_fraction {spec.labelled_fraction:g} leaves a class without a label ({error}); make it "
                "larger."
            ) from None
    return indices[chosen]


def _only_at(known: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels at these positions, and -1 at all others."""
    kept = np.full_like(labels, -1)
    kept[known] = labels[known]
    return kept


def split_indices(
    labels: NDArray[np.int64], fraction: float, val_fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the train and validation images: disjoint, each with the classes in the proportions of `labels`."""
    try:
        indices = _subset(labels, fraction, seed)
        train, val = stratified_split(labels[indices], math.ceil(val_fraction * len(indices)), seed)
    except ValueError as error:
        raise too_few(f"data.fraction {fraction:g} with data.val_fraction {val_fraction:g}", error) from None
    return indices[train], indices[val]


def _subset(labels: NDArray[np.int64], fraction: float, seed: int) -> NDArray[np.int64]:
    if fraction == 1:
        return np.arange(len(labels))
    return stratified_subset(labels, math.floor(fraction * len(labels)), seed)


def too_few(shares: str, reason: ValueError | str) -> SpecError:
    """The error for fractions that leave too few images for training or validation."""
    return SpecError(
        f"{shares} leaves too few images of a class ({reason}); make data.fraction larger, or "
        "data.val_fraction if there are few images."
    )


def pixel_statistics(pieces: Iterable[Tensor]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, exact: counted over the 256 values a pixel can have.

    Args: pieces: uint8 images (N, C, S, S) in any number of tensors.
    """
    counts = sum(torch.stack([_histogram(channel) for channel in piece.unbind(1)]) for piece in pieces)
    assert isinstance(counts, Tensor)  # (C, 256)
    values = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for count in counts:
        share = count.double() / count.sum()
        mean = (share * values).sum()
        means.append(mean.item())
        stds.append(
            max((share * (values - mean) ** 2).sum().sqrt().item(), 1e-3)
        )  # a black channel has a standard deviation of 0
    return tuple(means), tuple(stds)


def _histogram(channel: Tensor) -> Tensor:
    return torch.bincount(channel.flatten().int(), minlength=256)


def _constants(name: Literal["half", "imagenet"], num_channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel; for grey images the means of ImageNet's three values."""
    if name == "half":
        return (0.5,) * num_channels, (0.5,) * num_channels
    if num_channels == 1:
        return (fmean(IMAGENET_MEAN),), (fmean(IMAGENET_STD),)
    return IMAGENET_MEAN, IMAGENET_STD
