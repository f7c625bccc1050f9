"""From logits to probabilities, in double precision."""

import numpy as np
from numpy.typing import NDArray


def log_softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """The logarithms of the probabilities (N, K) of logits (N, K), divided by the temperature."""
    exact = logits.astype(np.float64) / temperature
    exact -= exact.max(axis=1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(axis=1, keepdims=True))
    return exact


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """The probabilities (N, K) of logits (N, K), divided by the temperature."""
    return np.exp(log_softmax(logits, temperature))
