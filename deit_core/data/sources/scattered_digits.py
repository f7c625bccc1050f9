"""Scattered digits: a handwritten digit at a random place on a larger canvas, with noise and, if asked for, fragments
of other digits around it. Made from scikit-learn's digits, without a download.

A CNN finds a digit wherever it stands; a ViT must see it at each place. So the images show what an inductive bias is.
The digit's place is known, so that maps of attention can be compared with it.

Each image is a pure function of (split seed, part, number of the image, epoch); where places are not drawn anew, the
epoch is 0. Training, validation and test have different digits, and their fragments are of digits of the same part.

    N images, S side of the canvas, D = 8 side of a digit
"""

import hashlib
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.catalog import DIGIT_SIZE, SOURCES, TEST_PLACES
from deit_core.data.sources.sklearn_digits import load_digits
from deit_core.data.sources.source import Source
from deit_core.data.sources.stratified import stratified_split
from deit_core.spec import DataSpec

FRAGMENT_SIZE = 5  # pixels
NOISE = 0.05  # standard deviation, of pixels in 0..1
_PARTS = ("training", "validation", "test")
_AT_ONCE = 256  # images whose pixels are computed together

Images = NDArray[np.uint8]
Masks = NDArray[np.bool_]


class Scattered(NamedTuple):
    """Images (N, 1, S, S), their labels (N,), and where each digit stands (N, S, S)."""

    images: Images
    labels: NDArray[np.int64]
    masks: Masks


def scatter(digits: Images, labels: NDArray[np.uint8], spec: DataSpec, part: str, epoch: int = 0) -> Scattered:
    """Put each digit (N, 1, D, D) at its places; the images of one digit follow each other."""
    num_places, side = TEST_PLACES if part == "test" else spec.places_per_digit, spec.canvas_size
    num_images = len(digits) * num_places
    images = np.empty((num_images, 1, side, side), np.uint8)
    masks = np.zeros((num_images, side, side), bool)
    inks = digits[:, 0] / 255
    for begin in range(0, num_images, _AT_ONCE):
        canvases = np.zeros((min(_AT_ONCE, num_images - begin), side, side))
        noise = np.empty_like(canvases)
        for number, canvas in enumerate(canvases, begin):
            entropy = np.array([spec.split_seed, _PARTS.index(part), number, epoch], np.uint32)
            draw = np.random.default_rng(np.random.SeedSequence(entropy))
            own = number // num_places
            top, left = _corner(side - DIGIT_SIZE + 1, draw)
            if spec.clutter:
                for other in draw.integers(0, len(digits) - 1, spec.clutter):
                    _add_fragment(canvas, inks[other + (other >= own)], draw)
            place = canvas[top : top + DIGIT_SIZE, left : left + DIGIT_SIZE]
            np.maximum(place, inks[own], out=place)
            draw.standard_normal(out=noise[number - begin])
            masks[number, top : top + DIGIT_SIZE, left : left + DIGIT_SIZE] = True
        canvases += NOISE * noise
        images[begin : begin + len(canvases), 0] = (canvases.clip(0, 1) * 255).round()
    return Scattered(images, np.repeat(labels, num_places).astype(np.int64), masks)


def _add_fragment(canvas: NDArray[np.float64], digit: NDArray[np.float64], draw: np.random.Generator) -> None:
    """A square cut from a digit, anywhere on the canvas."""
    row, column = _corner(DIGIT_SIZE - FRAGMENT_SIZE + 1, draw)
    top, left = _corner(len(canvas) - FRAGMENT_SIZE + 1, draw)
    fragment = digit[row : row + FRAGMENT_SIZE, column : column + FRAGMENT_SIZE]
    place = canvas[top : top + FRAGMENT_SIZE, left : left + FRAGMENT_SIZE]
    np.maximum(place, fragment, out=place)


def _corner(num: int, draw: np.random.Generator) -> tuple[int, int]:
    """A row and a column, each below `num`; one after the other is quicker than both at once."""
    return int(draw.integers(num)), int(draw.integers(num))


def scattered_digits(spec: DataSpec) -> Source:
    """The source of a spec."""
    train_digits, train_labels, test_digits, test_labels = load_digits()
    num_held = math.ceil(spec.val_fraction * len(train_labels))
    kept, held = stratified_split(train_labels, num_held, spec.split_seed)
    kept, held = np.sort(kept), np.sort(held)

    def training(epoch: int) -> Scattered:
        return scatter(train_digits[kept], train_labels[kept], spec, "training", epoch)

    train = training(0)
    val = scatter(train_digits[held], train_labels[held], spec, "validation")
    test = scatter(test_digits, test_labels, spec, "test")
    images, labels = np.concatenate([train.images, val.images]), np.concatenate([train.labels, val.labels])
    digest = hashlib.sha256()
    for array in (images, labels, test.images, test.labels):
        digest.update(array.tobytes())
    known = digest.hexdigest()
    return Source(
        "scattered-digits",
        SOURCES["scattered-digits"].classes,
        images,
        labels,
        test.images,
        test.labels,
        lambda _on_progress: known,
        val_positions=np.arange(len(train.labels), len(labels)),
        test_masks=test.masks,
        twins=np.arange(len(labels)) % spec.places_per_digit,
        in_epoch=(lambda epoch: training(epoch).images) if spec.new_places else None,
    )
