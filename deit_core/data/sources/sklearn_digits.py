"""scikit-learn's digits, read from its file. Knows one file; nothing of specs."""

from importlib.metadata import distribution

import numpy as np
from numpy.typing import NDArray

from deit_core.catalog import DIGIT_SIZE, SOURCES
from deit_core.data.sources.stratified import stratified_split

_FILE = "sklearn/datasets/data/digits.csv.gz"


def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Training images (N, 1, 8, 8), their labels (N,), and the same of the test.

    They have no official test split: it is one fifth, the same share of each class, always the same. The file is read
    and scikit-learn is not imported: that would take a second.
    """
    rows = np.loadtxt(str(distribution("scikit-learn").locate_file(_FILE)), dtype=np.uint8, delimiter=",")
    images = (rows[:, :-1].reshape(-1, 1, DIGIT_SIZE, DIGIT_SIZE) * (255 / 16)).round().astype(np.uint8)  # 16 levels
    labels = rows[:, -1]
    train, test = stratified_split(labels, SOURCES["digits"].num_test, seed=0)
    return images[train], labels[train], images[test], labels[test]
