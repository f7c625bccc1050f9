"""The command line with random words. Nothing is trained: each spec has a change that no spec has."""

import os
from pathlib import Path

import pytest
from bounds import bounded, check_sentence, fuzz, long_texts, texts
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deit_core.cli.app import app

_SPECS = ("train", "submit", "estimate")
_COMMANDS = (
    "runs",
    "show",
    "stop",
    "resume",
    "delete",
    "export",
    "report",
    "predict",
    "compare",
    "rollout",
    "data",
    "import",
    "presets",
)
_OPTIONS = (
    "--json",
    "--yes",
    "--format",
    "pt",
    "onnx",
    "--name",
    "--layer",
    "1",
    "--query",
    "--row",
    "--set",
    "--help",
)
# What a terminal can hand over: no NUL, and bytes that are no UTF-8 as Python reads them; no path to other folders.
words = (
    (texts | long_texts | st.binary(max_size=20).map(os.fsdecode))
    .map(lambda text: text.encode("utf-8", "surrogateescape" if "\ud800" not in text else "replace"))
    .map(os.fsdecode)
    .filter(lambda text: "\0" not in text and "/" not in text and ".." not in text and text not in ("~", "."))
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("DEIT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DEIT_STORE", raising=False)


def type_in(arguments: list[str]) -> None:
    with bounded():
        done = CliRunner().invoke(app, arguments)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        if done.exit_code == 2:  # typer's own words on an option that does not exist
            check_sentence(done.stderr or done.stdout)


@fuzz(20)
@given(command=st.sampled_from(_COMMANDS), arguments=st.lists(words | st.sampled_from(_OPTIONS), max_size=5))
def test_a_command_is_done_or_refused(command: str, arguments: list[str]) -> None:
    type_in([command, *arguments])


@fuzz(20)
@given(
    command=st.sampled_from(_SPECS),
    preset=st.sampled_from(["smoke", "digits-quick"]) | words,
    changes=st.lists(st.builds("{}={}".format, st.sampled_from(["optim.lr", "vit.name", "seeds"]), words), max_size=3),
)
def test_a_spec_is_refused(command: str, preset: str, changes: list[str]) -> None:
    options = [word for change in changes for word in ("--set", change)]
    type_in([command, "--set", "no.such.field=1", *options, "--", preset])
