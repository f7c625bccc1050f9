"""--data-dir, --runs-dir and --set mean the same on every command that can use them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from program import Program

from deit_core.cli.app import app
from deit_core.cli.options import SetOption, read_spec

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = ("--data-dir", "--runs-dir", "--set")

_NO_SPEC = "it reads no spec"
_SPEC_IS_FIXED = "what a run trains was fixed when it was submitted"
_NO_DATA = "it reads no data set and starts no worker that does"
_NO_RUNS = "it looks at no run"

WITHOUT: dict[str, dict[str, str]] = {  # command -> the options that it does not take, and why
    "presets": {"--data-dir": _NO_DATA, "--set": "it lists what the presets are"},
    "fields": {"--data-dir": _NO_DATA, "--runs-dir": _NO_RUNS, "--set": "it lists what there is to set"},
    "train": {},
    "submit": {},
    "work": {"--set": _SPEC_IS_FIXED},
    "estimate": {},
    "runs": {"--set": _SPEC_IS_FIXED},
    "show": {"--set": _SPEC_IS_FIXED},
    "stop": {"--data-dir": _NO_DATA, "--set": _SPEC_IS_FIXED},
    "resume": {"--set": _SPEC_IS_FIXED},
    "delete": {"--data-dir": _NO_DATA, "--set": _SPEC_IS_FIXED},
    "publish": {"--data-dir": _NO_DATA, "--set": _SPEC_IS_FIXED},
    "export": {"--data-dir": _NO_DATA, "--set": _SPEC_IS_FIXED},
    "report": {"--set": _SPEC_IS_FIXED},
    "notebook": {"--data-dir": _NO_DATA, "--set": _SPEC_IS_FIXED},
    "demo": {"--set": _SPEC_IS_FIXED},
    "predict": {"--set": _SPEC_IS_FIXED},
    "compare": {"--set": _SPEC_IS_FIXED},
    "rollout": {"--data-dir": _NO_DATA, "--set": _SPEC_IS_FIXED},
    "data": {"--runs-dir": _NO_RUNS, "--set": _NO_SPEC},
    "import": {"--runs-dir": _NO_RUNS, "--set": _NO_SPEC},
    "doctor": {"--set": _NO_SPEC},
    "slurm": {"--set": _SPEC_IS_FIXED},
}


def options_of(command: str) -> dict[str, tuple[object, ...]]:
    """Each option of a command that is one of OPTIONS, by its flag: all that a person sees of it."""
    parameters = COMMANDS[command].params
    return {
        flag: (one.name, one.opts, one.help, one.metavar, one.default, one.multiple, one.envvar)
        for one in parameters
        for flag in one.opts
        if flag in OPTIONS
    }


def test_the_table_holds_every_command() -> None:
    groups = {"store", "cluster", "curves"}  # they have commands of their own, on no run or spec
    assert WITHOUT.keys() == COMMANDS.keys() - groups


@pytest.mark.parametrize("command", WITHOUT)
def test_a_command_takes_each_option_or_says_why_not(command: str) -> None:
    model = options_of("train")
    assert model.keys() == set(OPTIONS)
    assert options_of(command) == {flag: model[flag] for flag in OPTIONS if flag not in WITHOUT[command]}


def test_the_examples_in_the_help_are_right() -> None:
    (option,) = SetOption.__metadata__
    changes = re.findall(r"[a-z_.]+=[\w.-]+", option.help)
    assert len(changes) == 2
    read_spec("digits-quick", [change.rstrip(".") for change in changes])


def test_an_estimate_finds_the_folder_that_data_dir_says(deit: Program, tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "elsewhere" / "animals" / label).mkdir(parents=True)
        for number in range(20):
            Image.fromarray(np.zeros((16, 16), np.uint8)).save(
                tmp_path / "elsewhere" / "animals" / label / f"{number}.png"
            )
    words = ["estimate", "smoke", "--set", "data.source=folder", "--set", "data.path=animals", "--json"]
    assert deit(*words).code == 2
    done = deit(*words, "--data-dir", str(tmp_path / "elsewhere"))
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["run_s"].keys() == {"smoke"}


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ("optim.lrr=1", "optim.lr"),
        ("vit.patch_size=7", "vit.model.patch_size"),
        ("vit.model.patchsize=7", "vit.model.patch_size"),
        ("lr=1", "optim.lr"),
        ("optm.epoch=1", "optim.epochs"),
        ("vti.seed=7", "vit.seed"),
        ("teacher.depth=7", "model.depth"),
        ("seed_s=7", "seeds"),
        ("OPTIM.LR=7", "optim.lr"),
    ],
)
@pytest.mark.parametrize("command", ["train", "submit", "estimate"])
def test_a_wrong_field_names_the_nearest_right_one(command: str, change: str, meant: str, deit: Program) -> None:
    done = deit(command, "digits-quick", "--set", change)
    assert done.code == 2
    assert done.last_line.endswith(f"There is no field {change.partition('=')[0]}; did you mean {meant}?")


@pytest.mark.parametrize(
    ("document", "meant"),
    [
        ({"optim": {"lrr": 1}}, "optim.lr"),
        ({"lr": 1}, "optim.lr"),
        ({"model": {"family": "resnet9", "widht": 8}}, "model.width"),
        ({"model": {"family": "vit", "patchsize": 8}}, "model.patch_size"),
        ({"name": "two", "runs": [{"name": "a"}, {"name": "b", "optim": {"lrr": 1}}]}, "b.optim.lr"),
        ({"name": "two", "runs": [{"name": "a"}], "seed": 3}, "seeds"),
    ],
)
def test_a_wrong_field_of_a_file_does_so_too(
    document: dict[str, object], meant: str, deit: Program, tmp_path: Path
) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(document))
    done = deit("train", "spec.json")
    assert done.code == 2
    assert done.last_line.endswith(f"; did you mean {meant}?")


def test_nothing_is_guessed_where_nothing_is_near(deit: Program) -> None:
    assert "did you mean" not in deit("train", "digits-quick", "--set", "learning_rate=1").last_line
