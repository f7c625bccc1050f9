"""What each preset is for, and how much it downloads."""

import pytest

from deit_core import presets
from deit_core.catalog import TORCHVISION_MB
from deit_core.presets.purposes import FACTS, PURPOSES, download_mb
from deit_core.torchvision_ops import torchvision


def test_every_preset_has_its_facts_and_every_purpose_a_preset() -> None:
    assert FACTS.keys() == set(presets.names())
    assert [purpose for purpose in PURPOSES if any(facts.purpose == purpose for facts in FACTS.values())] == [*PURPOSES]


@pytest.mark.parametrize("name", TORCHVISION_MB)
def test_weights_are_as_large_as_torchvision_says(name: str) -> None:
    weights = torchvision.models.get_model_weights(name).DEFAULT
    assert TORCHVISION_MB[name] == pytest.approx(weights.meta["_file_size"], abs=0.05)


@pytest.mark.parametrize(
    ("name", "megabytes"),
    [("scattered-quick", 0), ("fashion-full", 30.9), ("mnist-soft-resnet50", 11.6 + 97.8), ("deit-tiny", 74.6)],
)
def test_a_preset_downloads_its_data_and_its_teachers_weights_once(name: str, megabytes: float) -> None:
    assert download_mb(presets.get(name)) == pytest.approx(megabytes)
