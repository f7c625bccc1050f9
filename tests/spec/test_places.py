"""What others get names files and folders, and does not say where they are on one machine."""

import pytest

from deit_core import presets
from deit_core.spec import ExperimentSpec, file_name, replace, without_places


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
