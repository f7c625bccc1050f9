"""A preview of the data before training: the number of images of each class, samples, and their random views.

Plain arrays in and out. Knows no page; splits and augments with the same functions as a run.

    K classes, C channels, S img_size
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.data.augment.crop_and_flip import pad
from deit_core.data.augment.epoch_views import EpochViews
from deit_core.data.augment.mixup import draw_mixes, mix
from deit_core.data.sources.resizing import resize
from deit_core.data.sources.source import Source
from deit_core.data.splits import cut, pixel_statistics
from deit_core.spec import AugmentSpec, DataSpec

_GAP = 4  # pixels between two images of a mosaic


def class_counts(source: Source, spec: DataSpec) -> dict[str, NDArray[np.int64]]:
    """The number of images of each class (K,) in train, validation and test.

    Raises: SpecError where the subset is too small to cut.
    """
    train, val = cut(source, spec)
    labels = {"train": source.train_labels[train], "validation": source.train_labels[val], "test": source.test_labels}
    return {name: np.bincount(labels_of_part, minlength=len(source.classes)) for name, labels_of_part in labels.items()}


def class_images(source: Source, spec: DataSpec, label: int, first: int, count: int) -> NDArray[np.uint8]:
    """`count` training images of a class (count, C, S, S) from the `first` on, as a run sees them before augmentation.

    After the last image they start again with the first, so there are always `count`.
    """
    train, _ = cut(source, spec)
    members = train[source.train_labels[train] == label]
    chosen = members[np.arange(first, first + count) % len(members)]
    return resize(torch.tensor(source.train_images[chosen]), spec.img_size).numpy()


def training_statistics(
    source: Source, spec: DataSpec, most: int = 2000
) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Mean and standard deviation per channel of the training pixels, in [0, 1], and the number of images used.

    Of more than `most` images, only every n-th is read, to save the page time.
    """
    train, _ = cut(source, spec)
    chosen = train[:: -(-len(train) // most)]
    images = resize(torch.tensor(source.train_images[chosen]), spec.img_size)
    return *pixel_statistics([images]), len(chosen)


def sample_views(
    image: NDArray[np.uint8], spec: AugmentSpec, seed: int, count: int, other: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """`count` random views (count, C, S, S) of one image (C, S, S), drawn as a run draws them.

    Each is mixed with a view of `other` (C, S, S), where the spec mixes and there is one. In a run a whole batch has
    one ratio; here each view has its own, as if it came from another batch.
    """
    pixels = _views(image, spec, seed, count)
    if other is not None:
        others = _views(other, spec, seed + 1, count)
        labels = torch.tensor([0, 1])
        for index, draw in enumerate(draw_mixes(count, image.shape[-1], spec, seed, epoch=0)):
            if draw is not None:
                pixels[index] = mix(torch.stack([pixels[index], others[index]]), labels, draw)[0][0]
    return (pixels * 255).round().byte().numpy()


def mosaic(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Images (N, C, S, S) in a row, each enlarged in whole steps to about `side` pixels: RGBA, the gaps transparent."""
    scale = max(1, side // images.shape[-1])
    large = images.repeat(scale, axis=2).repeat(scale, axis=3).transpose(0, 2, 3, 1)
    rgb = large if large.shape[-1] == 3 else large.repeat(3, axis=3)
    rgba = np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=3)
    spaced = np.pad(rgba, ((0, 0), (0, 0), (0, _GAP), (0, 0)))
    return np.concatenate(spaced, axis=1)[:, :-_GAP]


def _views(image: NDArray[np.uint8], spec: AugmentSpec, seed: int, count: int) -> Tensor:
    padded = pad(torch.tensor(image)[None], spec.crop_padding)
    views = EpochViews(spec, count, torch.arange(count), image.shape[-1], seed, 0, torch.device("cpu"))
    return views.make(padded, torch.zeros(count, dtype=torch.int64), slice(count))
