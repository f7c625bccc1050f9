"""What others get names files and folders, and does not say where they are on one machine."""

from pathlib import Path

import pytest

from deit_core import presets
from deit_core.spec import ExperimentSpec, file_name, replace, text_without_places, without_places


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/ann/private/animals", "animals"),
        ("/home/ann/private/animals/", "animals"),
        ("~/animals", "animals"),
        ("~ann", "~ann"),
        ("../../private/animals", "animals"),
        (r"C:\Users\ann\animals", "animals"),
        (r"\\server\share\animals", "animals"),
        ("/", "folder"),
        ("folders/animals", "folders/animals"),
        ("0123abcd", "0123abcd"),
        ("", ""),
    ],
)
def test_a_path_becomes_a_name(path: str, name: str) -> None:
    assert file_name(path) == name


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("/home/ann/private/animals is not there any more.", "animals is not there any more."),
        ("data.path '/home/Ann Smith/my animals' is not", "data.path 'my animals' is not"),
        ('File "/opt/lab/deit_core/a.py", line 3', 'File "a.py", line 3'),
        ("remove /a/b/c, then (~/x/y) or ~ann/z.", "remove c, then (y) or z."),
        ("--runs-dir=/srv/runs: no", "--runs-dir=runs: no"),
        (r"C:\Users\ann\animals cannot be read", "animals cannot be read"),
        (r"'\\server\share\animals' and C:/a/b", "'animals' and b"),
        ("The store sqlite:////home/ann/runs.sqlite is", "The store sqlite:///runs.sqlite is"),
        ("/one", "one"),
        ("/home/Ann Smith/my pictures/0.png is damaged at 3 images/s", "0.png is damaged at 3 images/s"),
        (r"C:\Users\Ann Smith\animals cannot be read", "animals cannot be read"),
        ("1000 images/s, epoch 3 / 5, and/or https://example.org/a/b at folders/animals: 1/2", ""),
        ("every ./checkpoints/x and ../y stays, as does \\u001b, <b>x</b> and optim.lr=1e-3", ""),
    ],
)
def test_a_text_keeps_the_names_of_its_paths(text: str, plain: str) -> None:
    assert text_without_places(text) == (plain or text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("/home/Ann M Smith/lab/runs/0ab/state.pt is damaged", "0ab/state.pt is damaged"),
        ("/home/Ann M Smith/lab/runs/data/folders/my big zoo/0.png is", "folders/my big zoo/0.png is"),
        ("File '/home/Ann M Smith/lab/runs/runs.sqlite'", "File 'runs.sqlite'"),
        ("sqlite:////home/Ann M Smith/lab/runs/runs.sqlite", "sqlite:///runs.sqlite"),
        ("/home/Ann M Smith/lab/runs-2/a, /mnt/home/Ann/lab/runs/b ~/c", "Ann M Smith/lab/runs-2/a, b c"),
    ],
)
def test_of_known_folders_the_inside_is_kept(text: str, plain: str) -> None:
    runs = Path("/home/Ann M Smith/lab/runs")
    assert text_without_places(text, (runs, runs / "data")) == plain


def test_all_paths_of_an_experiment_become_names() -> None:
    paths = {"data.source": "folder", "data.path": "/home/ann/animals", "initial_checkpoint": "/home/ann/start.pth"}
    trio = replace(presets.digits_quick(), paths)
    deit = replace(trio.runs[2], {"distillation.teacher": "/home/ann/teacher.pth"})
    plain = without_places(trio)
    assert isinstance(plain, ExperimentSpec)
    assert {run.data.path for run in plain.runs} == {"animals"}
    assert [run.name for run in plain.runs] == [run.name for run in trio.runs]
    for spec in (plain, without_places(deit)):
        assert "/home" not in spec.model_dump_json()
        assert without_places(spec) == spec
    assert without_places(presets.digits_quick()) == presets.digits_quick()
