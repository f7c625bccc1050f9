"""What the guides tell people to type makes a spec, and what they print as Python runs as it is printed."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import deit_core
from deit_core.cli.options import read_spec
from deit_core.models import read_card

ROOT = Path(__file__).parents[1]


def guide(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def examples(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", guide(name), re.M | re.S)


TRAININGS = [
    line
    for name in ("command-line", "training")
    for line in re.findall(
        r"^ +python -m deit_core ((?:train|submit|estimate) .*?)(?: {2,}.*)?$", guide(name), re.MULTILINE
    )
]


def test_there_are_some() -> None:
    assert len(TRAININGS) > 10


@pytest.mark.parametrize("line", TRAININGS)
def test_it_is_understood(line: str) -> None:
    _, preset, *options = shlex.split(line.removesuffix(" --stop-early"))
    pairs = list(zip(options[::2], options[1::2], strict=True))
    names = ("--set", "--sweep", "--trials", "--key")
    given = {name: [value for option, value in pairs if option == name] for name in names}
    assert sum(map(len, given.values())) == len(pairs)
    read_spec(preset, given["--set"], given["--sweep"], trials=int(given["--trials"][0]) if given["--trials"] else None)


Run = Callable[[str], tuple[str, str]]


@pytest.fixture
def run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a program in an empty folder, and returns what it printed on stdout and on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(code: str) -> tuple[str, str]:
        exec(code, {"__name__": "__main__"})
        return capfd.readouterr()

    return run


def test_the_python_guide_runs_as_printed(run_as_printed: Run, tmp_path: Path) -> None:
    *first, _ = examples("python")
    assert len(first) > 1
    said, _ = run_as_printed("\n".join(first))
    assert re.search(r"^\{'test_loss': .*'test_accuracy': .*\}\n1 0\.\d+\n$", said, re.S)
    assert (tmp_path / "maps.html").read_text().count("<figure") == 3
    assert (tmp_path / "my-vit" / "README.md").exists()


def test_the_python_guide_names_the_ten() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", guide("python"), re.M)
    assert sorted(rows) == deit_core.__all__


def test_a_teacher_and_its_student_train_as_printed(run_as_printed: Run, tmp_path: Path) -> None:
    _, complaints = run_as_printed(examples("python")[-1])
    assert complaints == ""
    deit = read_card(tmp_path / "my-runs" / "deit").spec
    assert deit.distillation is not None
    assert read_card(tmp_path / "my-runs" / deit.distillation.teacher).spec.model.family == "resnet9"
    with Image.open(tmp_path / "deit.png") as picture:
        assert picture.size == (256, 256)
        assert np.asarray(picture).std() > 10


def test_the_python_of_the_attention_guide_runs_as_printed(run_as_printed: Run, tmp_path: Path) -> None:
    (example,) = (code for code in examples("attention") if "checkpoints/RUN" in code)
    run = next((ROOT / "checkpoints" / "demo").glob("*fashion-classroom*deit*"))
    Image.fromarray(np.tile(np.arange(28, dtype=np.uint8) * 9, (28, 1))).save(tmp_path / "shoe.png")
    asked = "print(*result.map.shape, *check.given.area.shape)"
    said, _ = run_as_printed(f"{example}\n{asked}".replace("checkpoints/RUN", str(run)))
    assert said == "1 7 7 1\n"
