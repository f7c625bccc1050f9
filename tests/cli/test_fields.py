"""Every field of a spec is on the command line, in the words that the spec has for it."""

import pytest
from typer.testing import CliRunner

from deit_core.cli.app import app
from deit_core.results.field_reference import field_reference
from deit_core.spec import RolloutSpec, field_help

RUNNER = CliRunner()


def words(text: str) -> str:
    """Without the lines and frames of a terminal."""
    return " ".join(text.replace("│", " ").split())


def test_the_reference_is_printed() -> None:
    assert RUNNER.invoke(app, ["fields"]).output == field_reference()


@pytest.mark.parametrize("name", RolloutSpec.model_fields)
def test_every_field_of_a_rollout_is_an_option(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    shown = RUNNER.invoke(app, ["rollout", "--help"], terminal_width=2000).output
    assert f"--{name.replace('_', '-')} " in shown
    assert words(field_help(RolloutSpec.model_fields[name])) in words(shown)
