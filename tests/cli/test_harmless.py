"""Rows of an older version hold whatever people typed: the terminal shows it, and is not steered by it."""

import sqlite3
import sys
import unicodedata
from contextlib import closing

import pytest
from typer.testing import CliRunner

from deit_core import presets
from deit_core.cli.app import app, main
from deit_core.layout import RunFiles, run_folder, store_file
from deit_core.runs import Status, enqueue, log_tail, open_store
from deit_core.settings import Settings
from deit_core.spec import replace

STEERS = "\x1b]0;owned\x07\x9b2J\u202e"


@pytest.fixture
def run_id(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that failed, whose rows were written before names were checked."""
    monkeypatch.delenv("DEIT_STORE", raising=False)
    store = open_store(settings.store_url)
    run_id, *others = enqueue(store, replace(presets.digits_quick(), {"notes": "MARK", "name": "MARK"}))
    for one in (run_id, *others):
        store.set_status(one, Status.FAILED, f"It read {STEERS}.")
    store.close()
    with closing(sqlite3.connect(store_file(settings.runs_dir))) as raw, raw:
        raw.execute("UPDATE runs SET spec = replace(spec, 'MARK', ?)", (r"\u001b]0;owned\u0007\u009b2J\u202e",))
        raw.execute("UPDATE experiments SET name = ?, description = ?", (STEERS, STEERS))
    return run_id


def steering(text: str) -> list[str]:
    """The letters of a text that steer a terminal or turn the direction of writing."""
    return [letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf") and letter != "\n"]


@pytest.mark.parametrize("command", ["runs", "runs --json", "show ID", "show ID --json"])
def test_the_terminal_is_not_steered(command: str, run_id: str, settings: Settings) -> None:
    words = command.replace("ID", run_id).split()
    done = CliRunner().invoke(app, [*words, "--runs-dir", str(settings.runs_dir)])
    said = done.output + str(done.exception or "")
    assert run_id in said
    assert steering(said) == []


def test_an_error_does_not_steer_it_either(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["deit_core", "train", f"{STEERS}.json", "--runs-dir", str(settings.runs_dir)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "owned" in said
    assert steering(said) == []


def test_the_end_of_a_log_does_not_steer_it_either(settings: Settings) -> None:
    log = RunFiles(run_folder(settings.runs_dir, "0123abcd")).log
    log.parent.mkdir(parents=True)
    log.write_text(f"first\n{STEERS}\n", encoding="utf-8")
    first, second = log_tail(settings.runs_dir, "0123abcd").split("\n")
    assert (first, steering(second)) == ("first", [])
