"""What the guides tell people to type makes a spec, and what they print as Python runs as it is printed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deit_core
from deit_core.cli.options import read_spec
from deit_core.models import read_card

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


def test_the_python_guide_runs_as_printed(tmp_path: Path) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "python.md").read_text(), re.M | re.S)
    assert len(examples) > 1
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(examples)], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\{'test_loss': .*'test_accuracy': .*\}\n1 0\.\d+\n$", done.stdout, re.S)
    assert (tmp_path / "maps.html").read_text().count("<figure") == 3
    assert (tmp_path / "my-vit" / "README.md").exists()


def test_the_python_guide_names_the_ten(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "python.md").read_text(), re.M)
    assert sorted(rows) == deit_core.__all__


def test_the_python_of_the_readme_runs_as_printed(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    deit = read_card(tmp_path / "my-runs" / "deit").spec
    assert deit.distillation is not None
    assert read_card(tmp_path / "my-runs" / deit.distillation.teacher).spec.model.family == "resnet9"
    with Image.open(tmp_path / "deit.png") as picture:
        assert picture.size == (256, 256)
        assert np.asarray(picture).std() > 10
