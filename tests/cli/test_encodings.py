"""Where a terminal, a file or a pipe takes fewer letters than a name has, the rest is escaped, and nothing fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from program import Program

from deit_core import presets
from deit_core.spec import replace

ESCAPED = rb"\u041f\u0435\u0440\u0432\u044b\u0439"  # Первый


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    "words",
    [
        "runs",
        "show RUN",
        "report --out results.md",
        "export RUN --format card",
        "stop RUN",
        "delete RUN --yes",
        "presets",
    ],
)
def test_a_name_in_another_alphabet_is_escaped(words: str, encoding: str, deit: Program, run_id: str) -> None:
    done = deit(*words.replace("RUN", run_id).split(), encoding=encoding)
    assert done.code == (2 if words == "stop RUN" else 0), done.stderr
    if words in ("runs", "show RUN", "export RUN --format card"):
        assert ESCAPED in done.stdout
    if words == "stop RUN":
        assert ESCAPED in done.stderr
    done.stdout.decode(encoding)


@pytest.mark.parametrize("words", ["runs --json", "show RUN --json", "presets --json"])
def test_json_is_the_same_in_every_encoding(words: str, deit: Program, run_id: str) -> None:
    printed = {deit(*words.replace("RUN", run_id).split(), encoding=name).stdout for name in ("utf-8", "cp1252")}
    assert len(printed) == 1
    assert json.loads(printed.pop())


def test_utf_8_shows_the_letters(deit: Program, run_id: str) -> None:
    assert "Первый ☃" in deit("runs").stdout.decode()


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    spec = replace(presets.smoke(), {"name": "Первый ☃", "optim.epochs": 1})
    file = tmp_path / "spec.json"
    file.write_text(spec.model_dump_json(), encoding="utf-8")
    return file


def test_a_training_that_succeeds_ends_well(spec_file: Path, deit: Program) -> None:
    done = deit("train", str(spec_file), encoding="cp1252")
    assert done.code == 0, done.stderr
    assert ESCAPED in done.stdout
    assert ESCAPED in done.stderr


def test_a_training_that_succeeds_ends_well_in_the_locale_c(spec_file: Path) -> None:
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = ["train", str(spec_file), "--runs-dir", str(spec_file.parent)]
    done = subprocess.run(
        [sys.executable, "-m", "deit_core", *words],
        capture_output=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("LC_")} | variables,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ESCAPED in done.stdout
    assert ESCAPED in done.stderr
