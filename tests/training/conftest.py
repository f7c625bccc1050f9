"""What tests that train have in common."""

import pytest

from deit_core.training.device import plain_plan


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs compute in the plain way, without a trial of others, which would take a third of a short run's time."""
    monkeypatch.setattr("deit_core.training.session.choose_plan", lambda step, *_: plain_plan(step.spec.compute))
