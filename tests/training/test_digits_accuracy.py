"""The preset on digits learns what it promises: each of its runs, as it is."""

import pytest

from deit_core import presets
from deit_core.events import RunFinished
from deit_core.training import train


@pytest.fixture(scope="module")
def accuracies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Test accuracy of each run of digits-quick."""
    folder = tmp_path_factory.mktemp("digits-quick")
    found = {}
    for spec in presets.digits_quick().runs:
        *_, last = train(spec, run_dir=folder / spec.name)
        assert isinstance(last, RunFinished)
        found[spec.name] = last.metrics["test_accuracy"]
    return found


@pytest.mark.parametrize(("name", "least"), [("teacher", 0.98), ("vit", 0.955), ("deit", 0.95)])
def test_digits_quick_reaches_its_accuracy(name: str, least: float, accuracies: dict[str, float]) -> None:
    assert accuracies[name] >= least
