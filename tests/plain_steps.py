"""Runs of tests that compute in the plain way."""

import contextlib
from collections.abc import Iterator

import pytest

from deit_core.training.device import plain_plan


@contextlib.contextmanager
def computing_plainly() -> Iterator[None]:
    """Without a trial of other ways to compute, which would take a third of a short run's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deit_core.training.session.choose_plan", lambda step, *_: plain_plan(step.spec.compute))
        yield
