"""Whether a model is right as often as it says: reliability, its error, and the temperature that mends it.

Knows labels and logits; nothing of models or files.

    N images, K classes

Source: Guo et al. 2017, "On calibration of modern neural networks" (arXiv:1706.04599).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.probabilities import log_softmax, softmax

NUM_BINS = 15  # of the source
FEW_IMAGES = 10  # a bin with fewer says little of how often a model is right
_HOTTEST, _COLDEST = 1e3, 1e-3  # temperatures between which the best one is searched


class Bin(NamedTuple):
    """The images whose decision has a probability above `low` and up to `high`.

    `confidence` is the mean of these probabilities and `accuracy` the share of right decisions; both NaN without an
    image.
    """

    low: float
    high: float
    num_images: int
    confidence: float
    accuracy: float


def reliability(labels: NDArray[np.int64], logits: NDArray[np.floating], num_bins: int = NUM_BINS) -> list[Bin]:
    """Bins of equal width between 0 and 1."""
    chances = softmax(logits)
    confidence, right = chances.max(axis=1), logits.argmax(axis=1) == labels
    edges = np.linspace(0, 1, num_bins + 1)
    number = np.clip(np.ceil(confidence * num_bins).astype(np.int64) - 1, 0, num_bins - 1)  # of each image's bin
    counts, sums, rights = (
        np.bincount(number, weights=weights, minlength=num_bins) for weights in (None, confidence, right)
    )
    means, accuracies = (
        np.divide(total, counts, out=np.full(num_bins, np.nan), where=counts > 0) for total in (sums, rights)
    )
    columns = zip(edges[:-1], edges[1:], counts, means, accuracies, strict=True)
    return [
        Bin(float(low), float(high), int(count), float(mean), float(accuracy))
        for low, high, count, mean, accuracy in columns
    ]


def calibration_error(bins: list[Bin]) -> float:
    """The expected calibration error: how far confidence and accuracy are apart, weighed by the images of each bin."""
    apart = [one.num_images * abs(one.confidence - one.accuracy) for one in bins if one.num_images]
    return sum(apart) / sum(one.num_images for one in bins)


class Sureness(NamedTuple):
    """How sure a model is and how often it is right, both as means over all images.

    margin: by how much chance alone makes the two differ, once in twenty times.
    error: the expected calibration error.
    """

    confidence: float
    accuracy: float
    margin: float
    error: float

    @property
    def words(self) -> str:
        """The end of a sentence that begins with the model's name."""
        apart = self.confidence - self.accuracy
        numbers = f"it says {self.confidence:.1%} in the mean and is right on {self.accuracy:.1%}"
        error = f"calibration error {self.error:.1%}"
        if abs(apart) <= self.margin:
            return f"is about as sure as it is right: {numbers}, a difference that can be chance; {error}"
        kind = "overconfident" if apart > 0 else "underconfident"
        return f"is {kind} by {100 * abs(apart):.1f} points: {numbers}; {error}"


def sureness(labels: NDArray[np.int64], logits: NDArray[np.floating]) -> Sureness:
    """Args: labels: (N,). logits: (N, K)."""
    confidence, right = softmax(logits).max(axis=1), logits.argmax(axis=1) == labels
    apart = confidence - right
    return Sureness(
        confidence=float(confidence.mean()),
        accuracy=float(right.mean()),
        margin=float(1.96 * apart.std() / np.sqrt(len(labels))),
        error=calibration_error(reliability(labels, logits)),
    )


def negative_log_likelihood(labels: NDArray[np.int64], logits: NDArray[np.floating], temperature: float = 1.0) -> float:
    """The mean of -log(probability of the true class), in nats."""
    log_chances = log_softmax(logits, temperature)
    return float(-log_chances[np.arange(len(labels)), labels].mean())


def best_temperature(labels: NDArray[np.int64], logits: NDArray[np.floating]) -> float | None:
    """The temperature to divide logits by for the least negative log likelihood; fit it on validation images.

    None where there is no best one: without a wrong decision the logits can always be larger, and where the true
    classes have no larger logits than others they can always be smaller.
    """
    from scipy.optimize import brentq  # here, since no page needs it to paint

    exact = logits.astype(np.float64)
    exact -= exact.max(axis=1, keepdims=True)
    of_labels = exact[np.arange(len(labels)), labels].mean()

    def slope(log_inverse: float) -> float:
        """Of the negative log likelihood, which is convex in the inverse of the temperature."""
        chances = softmax(exact, np.exp(-log_inverse))
        return float((chances * exact).sum(axis=1).mean() - of_labels)

    hottest, coldest = -np.log(_HOTTEST), -np.log(_COLDEST)
    if slope(hottest) >= 0 or slope(coldest) <= 0:
        return None
    return float(np.exp(-brentq(slope, hottest, coldest, xtol=1e-14, rtol=1e-14)))
