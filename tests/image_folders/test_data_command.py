"""The command `data`: what it looks at, and how it answers people and programs."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from named_files import FIELD, classes, fill, pack


def test_a_known_name_is_the_data_set_and_all_else_is_a_path_from_here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listed: Callable[[Path], Any],
    data: Callable[..., tuple[int, str, str]],
) -> None:
    fill(tmp_path / "here" / "animals", classes("", 5))
    fill(tmp_path / "here" / "digits", classes("", 5))
    fill(tmp_path / "data" / "animals", classes("", 6))
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DEIT_DATA_DIR", str(tmp_path / "data"))
    assert listed(Path("animals"))["parts"] == {"train": {"sea": 5, "street": 5}}
    assert data("./digits", "--json")[1] == data("animals", "--json")[1]
    known = listed(Path("digits"))
    assert {part: sum(counts.values()) for part, counts in known["parts"].items()} == {"train": 1437, "test": 360}
    assert data("digits")[1].startswith("Digits: 1437 training and 360 test images")


@pytest.mark.parametrize("name", ["imagenet", "~nosuchuser/x", "a" * 300, "notes.txt", "cut.zip", "folder/0.png"])
def test_what_is_no_data_set_is_a_sentence_on_stderr_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[[Path], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path, ["notes.txt", "folder/0.png"])
    (tmp_path / "cut.zip").write_bytes(pack(tmp_path / "whole.zip", classes("", 5)).read_bytes()[:-30])
    assert refused(Path(name))


def test_a_zip_is_checked_as_on_import_and_nothing_is_unpacked(
    tmp_path: Path, refused: Callable[[Path], str], listed: Callable[[Path], Any]
) -> None:
    assert "outside its folder" in refused(pack(tmp_path / "bad.zip", [*classes("", 5), "../0.png"]))
    listed(pack(tmp_path / "good.zip", classes("", 5)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip", "good.zip"]


def test_people_see_the_same(tmp_path: Path, data: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = data(fill(tmp_path / "f", [*FIELD, "labels/1.xml"]))
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["class", "train"] in lines
    assert ["cow", "8"] in lines
    assert ["20", "with", "ending", ".heic", "cat/0.HEIC"] in lines
    assert "Warning: labels contains no image" in out


def test_a_pipe_gets_one_document(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deit_core", "data", str(fill(tmp_path / "f", FIELD)), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert json.loads(done.stdout)["parts"] == {"train": {"cat": 8, "cow": 8, "dog": 8}}
