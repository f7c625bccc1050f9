"""What logits say at a temperature: soft targets, their entropy, the divergence of a student, and its gradient.

Arrays in float64: knows no models, and loads no torch. The same losses as tensors are in `deit_core.distillation`.

    K classes

Source: Hinton, Vinyals & Dean 2015 (arXiv:1503.02531), section 2.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


def soft_targets(logits: ArrayLike, tau: float) -> Vector:
    """The probabilities (K,) of logits (K,) at temperature `tau`."""
    return np.exp(_log_soft_targets(logits, tau))


def entropy(logits: ArrayLike, tau: float) -> float:
    """How spread the soft targets are, in nats: 0 where one class has it all, ln K where all have the same."""
    return float(-(soft_targets(logits, tau) * _log_soft_targets(logits, tau)).sum())


def cross_entropy(logits: ArrayLike, label: int) -> float:
    """The loss of logits (K,) with a class as their label, in nats."""
    return float(-_log_soft_targets(logits, 1.0)[label])


def divergence(student: ArrayLike, teacher: ArrayLike, tau: float) -> float:
    """Kullback-Leibler divergence from the teacher's soft targets to the student's, in nats, without the factor tau^2.

    Args: student, teacher: logits (K,).
    """
    target, own = _log_soft_targets(teacher, tau), _log_soft_targets(student, tau)
    return float((np.exp(target) * (target - own)).sum())


def gradient(student: ArrayLike, teacher: ArrayLike, tau: float) -> Vector:
    """The derivative of the divergence by each of the student's logits (K,). A step of training moves against it.

    For a high temperature, times tau^2, it comes close to `gradient_limit`.
    """
    return (soft_targets(student, tau) - soft_targets(teacher, tau)) / tau


def gradient_limit(student: ArrayLike, teacher: ArrayLike) -> Vector:
    """What the gradient times tau^2 comes close to as tau grows: the difference of the centred logits, divided by K.

    So the factor tau^2 keeps the size of the gradient: without it, it falls with 1 / tau^2.
    """
    own, target = np.asarray(student, np.float64), np.asarray(teacher, np.float64)
    centred: Vector = (own - own.mean()) - (target - target.mean())
    return centred / len(centred)


def _log_soft_targets(logits: ArrayLike, tau: float) -> Vector:
    scaled: Vector = np.asarray(logits, np.float64) / tau
    shifted = scaled - scaled.max()
    log_probabilities: Vector = shifted - np.log(np.exp(shifted).sum())
    return log_probabilities
