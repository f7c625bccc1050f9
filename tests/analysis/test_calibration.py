"""Reliability and temperature: by hand, against scikit-learn, and against another way to look for the least loss."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from deit_core.analysis import best_temperature, calibration_error, negative_log_likelihood, reliability, sureness


def made(num_images: int, num_classes: int, *, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and logits that say so with `sharpness` times the right certainty."""
    rng = np.random.default_rng(num_classes)
    logits = rng.normal(scale=2, size=(num_images, num_classes))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) < rng.random((num_images, 1))).sum(axis=1).clip(max=num_classes - 1)
    return labels, (sharpness * logits).astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    exact = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
    return exact / exact.sum(axis=1, keepdims=True)


def test_bins_and_their_error_by_hand() -> None:
    chances = np.array([[0.6, 0.4], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9], [0.5, 0.5]])
    labels = np.array([0, 1, 1, 1, 1])
    bins = reliability(labels, np.log(chances), num_bins=2)
    assert bins[0][:3] == (0, 0.5, 1)
    assert bins[0][3:] == pytest.approx((0.5, 0))  # of two that are equal the first is decided for
    assert bins[1][:3] == (0.5, 1, 4)
    assert bins[1][3:] == pytest.approx(((0.6 + 0.6 + 0.8 + 0.9) / 4, 3 / 4))
    assert calibration_error(bins) == pytest.approx((1 * 0.5 + 4 * 0.025) / 5)


@pytest.mark.parametrize(("num_images", "num_classes"), [(1, 3), (500, 2), (5000, 10), (2000, 1000)])
def test_reliability_is_scikit_learns(num_images: int, num_classes: int) -> None:
    labels, logits = made(num_images, num_classes, sharpness=2)
    chances = softmax(logits)
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == labels
    full = [one for one in reliability(labels, logits) if one.num_images]
    accuracies, confidences = calibration_curve(
        np.append(right, [0, 1]), np.append(confidence, [-0.0, -0.0]), n_bins=15
    )
    in_first = int((confidence <= 1 / 15).sum())  # where scikit-learn was given both answers, as it must be
    assert in_first == 0
    np.testing.assert_allclose([one.accuracy for one in full], accuracies[1:], atol=1e-9)
    np.testing.assert_allclose([one.confidence for one in full], confidences[1:], atol=1e-9)
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean()) if inside.any() else 0
    assert calibration_error(full) == pytest.approx(error, abs=1e-9)


@pytest.mark.parametrize("num_classes", [2, 10, 1000])
def test_the_likelihood_is_scikit_learns(num_classes: int) -> None:
    labels, logits = made(400, num_classes, sharpness=1)
    expected = log_loss(labels, softmax(logits), labels=np.arange(num_classes))
    assert negative_log_likelihood(labels, logits) == pytest.approx(expected, abs=1e-9)
    assert np.isfinite(negative_log_likelihood(labels, 1000 * logits))


@pytest.mark.parametrize(("num_classes", "sharpness"), [(2, 3.0), (10, 0.5), (10, 1.0), (100, 4.0)])
def test_the_temperature_has_the_least_loss_and_undoes_what_was_done(num_classes: int, sharpness: float) -> None:
    labels, logits = made(4000, num_classes, sharpness=sharpness)
    found = best_temperature(labels, logits)
    assert found == pytest.approx(sharpness, rel=0.1)

    def loss(log_temperature: float) -> float:
        return log_loss(labels, softmax(logits / np.exp(log_temperature)), labels=np.arange(num_classes))

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert negative_log_likelihood(labels, logits, found) == pytest.approx(best.fun, abs=1e-9)
    assert found == pytest.approx(np.exp(best.x), rel=1e-5)


def test_where_no_temperature_is_the_best_there_is_none() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 3.0]])
    assert best_temperature(np.array([0, 1]), logits) is None  # no mistake: the colder the better
    assert best_temperature(np.array([1, 0]), logits) is None  # nothing right: the hotter the better
    assert best_temperature(np.array([0]), np.zeros((1, 3))) is None  # one image, no opinion


@pytest.mark.parametrize(
    ("sharpness", "kind"), [(3.0, "is overconfident by "), (0.3, "is underconfident by "), (1.0, "is about as sure as")]
)
def test_over_and_underconfidence_in_words(sharpness: float, kind: str) -> None:
    labels, logits = made(4000, 10, sharpness=sharpness)
    found = sureness(labels, logits)
    assert found.confidence == pytest.approx(softmax(logits).max(axis=1).mean(), abs=1e-9)
    assert found.accuracy == (logits.argmax(axis=1) == labels).mean()
    assert found.words.startswith(kind)
    assert f"says {found.confidence:.1%} in the mean and is right on {found.accuracy:.1%}" in found.words
    assert found.words.endswith(f"calibration error {calibration_error(reliability(labels, logits)):.1%}")
