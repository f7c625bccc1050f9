"""A word of 100,000 letters, on every command: one short sentence and exit code 2."""

import pytest
from program import Program

from deit_core.cli.app import app

LONG = "a" * 100_000
COMMANDS: dict[str, tuple[str, ...]] = {
    "presets": ("--" + LONG,),
    "fields": (LONG,),
    "train": (LONG,),
    "submit": ("smoke", "--set", LONG),
    "work": (LONG,),
    "runs": (LONG,),
    "show": (LONG,),
    "stop": (LONG,),
    "resume": (LONG,),
    "delete": (LONG, "--yes"),
    "publish": (LONG,),
    "export": (LONG, "--format", "pt"),
    "report": (LONG,),
    "notebook": (LONG,),
    "demo": (LONG, "--out", "demo"),
    "predict": (LONG,),
    "compare": (LONG, LONG),
    "rollout": (LONG, "a.png", "--out", "pictures"),
    "estimate": (LONG,),
    "data": (LONG,),
    "import": (LONG,),
    "doctor": (LONG,),
    "slurm": (LONG,),
}


def test_every_command_is_tried() -> None:
    assert COMMANDS.keys() == {command.name for command in app.registered_commands}


@pytest.mark.parametrize("words", [*((name, *words) for name, words in COMMANDS.items()), (LONG,), ("--" + LONG,)])
def test_a_very_long_word_is_not_repeated(deit: Program, words: tuple[str, ...]) -> None:
    done = deit(*words)
    assert done.code == 2
    assert b"Traceback" not in done.stderr
    assert len(done.stderr) < 4000


@pytest.mark.parametrize("command", ["show", "stop", "resume", "delete", "export", "rollout"])
@pytest.mark.parametrize("name", ["9" * 5000, "\udcff", "%", "é", "\x00"])
def test_what_cannot_be_an_id_is_no_run(deit: Program, run_id: str, command: str, name: str) -> None:
    more = {"export": ("--format", "pt"), "rollout": ("a.png", "--out", "pictures")}
    done = deit(command, name, *more.get(command, ()))
    assert done.code == 2
    assert b"There is no run" in done.stderr
