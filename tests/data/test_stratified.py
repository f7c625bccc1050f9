"""Splits are those that scikit-learn draws from the same seed, so a run stays the run it was."""

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import deit_core
from deit_core.data import load_source
from deit_core.data.sources.stratified import stratified_split
from deit_core.data.splits import split_indices
from deit_core.errors import SpecError


def scikit_learns(labels: NDArray[np.int64], seed: int, **sizes: float) -> list[NDArray[np.int64]]:
    positions: list[NDArray[np.int64]] = train_test_split(
        np.arange(len(labels)), stratify=labels, random_state=seed, **sizes
    )
    return positions


def test_every_draw_is_scikit_learns() -> None:
    """Sizes with ties and remainders of every kind, classes of two, shares that leave nobody out; refusals too."""
    rng = np.random.default_rng(0)
    num_refused = 0
    for seed in range(300):
        labels = rng.integers(0, rng.integers(2, 12), rng.integers(4, 300))
        num_held = int(rng.integers(1, len(labels)))
        try:
            expected = scikit_learns(labels, seed, test_size=num_held)
        except ValueError:
            num_refused += 1
            with pytest.raises(ValueError, match="classes, the smallest of which has"):
                stratified_split(labels, num_held, seed)
            continue
        kept, held = stratified_split(labels, num_held, seed)
        np.testing.assert_array_equal(kept, expected[0])
        np.testing.assert_array_equal(held, expected[1])
    assert 20 < num_refused < 150


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.2, 1 / 3])
@pytest.mark.parametrize("val_fraction", [0.1, 0.2, 0.15])
def test_shares_are_rounded_as_scikit_learn_rounds_them(fraction: float, val_fraction: float) -> None:
    labels = np.random.default_rng(1).integers(0, 10, 1437)
    indices = np.arange(len(labels))
    if fraction < 1:
        indices, _ = scikit_learns(labels, 42, train_size=fraction)
    expected = [indices[part] for part in scikit_learns(labels[indices], 42, test_size=val_fraction)]
    for part, wanted in zip(split_indices(labels, fraction, val_fraction, 42), expected, strict=True):
        np.testing.assert_array_equal(part, wanted)


def test_too_few_images_of_a_class_are_refused() -> None:
    words = "1 for training and 2 for validation, of 2 classes, the smallest of which has 1"
    with pytest.raises(SpecError, match=words):
        split_indices(np.array([0, 0, 1]), 1.0, 0.5, 0)


@pytest.mark.parametrize("fraction", [0.5, 0.3, 0.2])
def test_no_class_vanishes_from_training(fraction: float) -> None:
    with pytest.raises(SpecError, match=r"data\.fraction .* too few images of a class"):
        split_indices(np.repeat([0, 1, 2], [300, 3, 300]), fraction, 0.1, 0)


def test_what_a_fraction_leaves_out_may_lack_a_class() -> None:
    train, val = split_indices(np.repeat(np.arange(10), 100), 0.995, 0.1, 0)
    assert (len(train), len(val)) == (895, 100)


def test_the_digits_are_scikit_learns_without_it() -> None:
    bunch, source = load_digits(), load_source("digits", Path("nowhere"))
    kept, held = scikit_learns(bunch.target, 0, test_size=360)
    for positions, images, labels in (
        (kept, source.train_images, source.train_labels),
        (held, source.test_images, source.test_labels),
    ):
        np.testing.assert_array_equal(labels, bunch.target[positions])
        np.testing.assert_array_equal(images[:, 0], np.round(bunch.images[positions] * (255 / 16)))
    assert source.content_hash.startswith("0c699ee1b3bc1bc5")


def test_nothing_imports_scikit_learn() -> None:
    """It would cost every worker a second of its start."""
    for file in Path(deit_core.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "sklearn" for name in names), file
