"""Soft targets: the table of the note on the paper, the losses of training, and derivatives by torch's autograd."""

import math

import numpy as np
import pytest
import torch

from deit_core.analysis.soft_targets import (
    cross_entropy,
    divergence,
    entropy,
    gradient,
    gradient_limit,
    soft_targets,
)
from deit_core.distillation import soft_distillation

TEACHER, STUDENT = [30.0, 5.0, 2.0, 2.0], [4.0, 1.0, 3.0, 0.0]


@pytest.mark.parametrize(
    ("tau", "expected"),
    [(1, [1.0, 1.3888e-11, 6.9144e-13, 6.9144e-13]), (10, [0.8308, 0.0682, 0.0505, 0.0505])],
)
def test_the_table_of_the_note(tau: float, expected: list[float]) -> None:
    assert soft_targets(TEACHER, tau) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0, 20.0])
def test_divergence_and_gradient_are_those_of_training(tau: float) -> None:
    student = torch.tensor([STUDENT], dtype=torch.float64, requires_grad=True)
    loss = soft_distillation(student, torch.tensor([TEACHER], dtype=torch.float64), tau)
    loss.backward()
    assert student.grad is not None
    assert divergence(STUDENT, TEACHER, tau) * tau**2 == pytest.approx(loss.item(), abs=1e-12)
    assert gradient(STUDENT, TEACHER, tau) * tau**2 == pytest.approx(student.grad[0].numpy(), abs=1e-12)


def test_the_gradient_times_the_square_of_tau_has_a_limit() -> None:
    limit = gradient_limit(STUDENT, TEACHER)
    assert limit == pytest.approx([-4.5625, 0.9375, 2.1875, 1.4375]), "by hand"
    assert gradient(STUDENT, TEACHER, 1e5) * 1e10 == pytest.approx(limit, rel=1e-3)


def test_entropy_and_cross_entropy() -> None:
    assert entropy([0, 0, 0, 0], 1) == pytest.approx(math.log(4))
    assert entropy(TEACHER, 1) == pytest.approx(0, abs=1e-9)
    assert cross_entropy(STUDENT, 2) == pytest.approx(-math.log(soft_targets(STUDENT, 1)[2]))
    assert cross_entropy([1000.0, 0.0], 1) == pytest.approx(1000), "no infinity where a probability is 0"


def test_shifted_logits_say_the_same() -> None:
    assert np.allclose(soft_targets(np.add(TEACHER, 700), 2), soft_targets(TEACHER, 2), rtol=1e-12)
