"""What the guides tell people to type makes a spec."""

import re
import shlex
from pathlib import Path

import pytest

from deit_core.cli.options import read_spec

ROOT = Path(__file__).parents[1]
TRAININGS = [
    line
    for guide in ("README.md", "docs/training.md")
    for line in re.findall(
        r"^ +python -m deit_core ((?:train|submit|estimate) .*?)(?: {2,}.*)?$", (ROOT / guide).read_text(), re.M
    )
]


def test_there_are_some() -> None:
    assert len(TRAININGS) > 10


@pytest.mark.parametrize("line", TRAININGS)
def test_it_is_understood(line: str) -> None:
    _, preset, *options = shlex.split(line)
    assert options[::2] == ["--set"] * (len(options) // 2)
    read_spec(preset, options[1::2])
