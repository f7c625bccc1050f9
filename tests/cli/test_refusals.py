"""Whatever a path in a command turns out to be: one sentence that names it, exit code 2, and nothing on stdout."""

import sqlite3
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from program import Done, Program

LONG = "n" * 300  # no file may have so long a name

Make = Callable[[Path], Path]


def a_file(folder: Path) -> Path:
    (folder / "file").write_text("words")
    return folder / "file"


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "inside"


def a_folder(folder: Path) -> Path:
    (folder / "folder" / "inside").mkdir(parents=True)
    return folder / "folder"


def too_long(folder: Path) -> Path:
    return folder / LONG


INSTEAD_OF_A_FOLDER = (a_file, below_a_file, too_long)
INSTEAD_OF_A_FILE = (a_folder, below_a_file, too_long)
ANY = (a_file, a_folder, below_a_file, too_long)

COMMANDS: dict[str, tuple[Make, ...]] = {
    "presets --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "train PATH": ANY,
    "train smoke --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "train mnist-soft-resnet50 --data-dir PATH": INSTEAD_OF_A_FOLDER,
    "train smoke --set data.source=folder --set data.path=PATH": ANY,
    "train smoke --set initial_checkpoint=PATH": ANY,
    "submit PATH": ANY,
    "submit smoke --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "estimate PATH": ANY,
    "estimate smoke --set data.source=folder --set data.path=PATH": ANY,
    "runs --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "show PATH": ANY,
    "show RUN --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "stop RUN --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "resume RUN --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "delete RUN --yes --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "export PATH --format pt": ANY,
    "export RUN --format pt --out PATH": INSTEAD_OF_A_FILE,
    "export RUN --format safetensors --out PATH": INSTEAD_OF_A_FILE,
    "export RUN --format card --out PATH": INSTEAD_OF_A_FILE,
    "export RUN --format pt --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "report PATH": ANY,
    "report --out PATH": INSTEAD_OF_A_FILE,
    "report --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "predict PATH": ANY,
    "predict RUN --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "compare RUN PATH": ANY,
    "compare RUN RUN --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "rollout PATH image.png --out out": ANY,
    "rollout RUN PATH --out out": ANY,
    "rollout RUN image.png --out PATH": INSTEAD_OF_A_FOLDER,
    "rollout 1 image.png --out out --runs-dir PATH": INSTEAD_OF_A_FOLDER,
    "data PATH": ANY,
    "data mnist --data-dir PATH": INSTEAD_OF_A_FOLDER,
    "import PATH": ANY,
    "import images.zip --data-dir PATH": INSTEAD_OF_A_FOLDER,
    f"import images.zip --name {'𐐷' * 80}": (lambda folder: folder / ("𐐷" * 80),),
}


def assert_refused(done: Done, name: str) -> None:
    assert done.code == 2
    assert done.last_line.startswith("Error: ")
    assert done.last_line.endswith(".")
    assert name in done.last_line
    assert "Errno" not in done.last_line
    assert ".part" not in done.last_line  # a file of ours beside the one that was asked for


@pytest.fixture
def files(tmp_path: Path) -> None:
    """What the commands of the table name beside the path."""
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "image.png")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as content:
        for label in ("cat", "dog"):
            content.write(tmp_path / "image.png", f"{label}/0.png")
            content.write(tmp_path / "image.png", f"{label}/1.png")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("words", "make"), [(words, make) for words, makes in COMMANDS.items() for make in makes])
def test_a_path_that_cannot_be_used_is_named(
    words: str, make: Make, deit: Program, run_id: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    done = deit(*words.replace("PATH", str(path)).replace("RUN", run_id).split())
    assert_refused(done, path.name[-20:])  # of a very long one, the end
    if not words.startswith("train"):
        assert done.stdout == b""


@pytest.mark.parametrize("variable", ["DEIT_RUNS_DIR", "DEIT_DATA_DIR", "DEIT_STORE"])
@pytest.mark.parametrize("make", [below_a_file, too_long])
def test_a_variable_that_cannot_be_used_is_named(
    variable: str, make: Make, deit: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path)
    monkeypatch.setenv(variable, f"sqlite:///{path}" if variable == "DEIT_STORE" else str(path))
    done = deit("data", "mnist") if variable == "DEIT_DATA_DIR" else deit("runs")
    assert_refused(done, "file" if make is below_a_file else path.name)


def test_a_store_that_is_none_is_named(deit: Program, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / "runs.sqlite"
    for content in (b"these are words, and many of them. " * 50, b"SQLite format 3\0" + b"\7" * 5000):
        path.write_bytes(content)
        assert_refused(deit("runs"), str(path))
        assert path.read_bytes() == content
    path.unlink()
    with closing(sqlite3.connect(path)) as another:
        another.execute("CREATE TABLE runs (id, colour)")
    assert_refused(deit("runs"), str(path))
    path.unlink()
    path.mkdir()
    assert_refused(deit("runs"), str(path))


def test_a_store_that_somebody_holds_is_named(
    deit: Program, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deit_core.runs.sqlite_database.BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "runs" / "runs.sqlite"
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert_refused(deit("stop", run_id), str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps nobody out by such means")
@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "words",
    [
        "train smoke --runs-dir PATH",
        "submit smoke --runs-dir PATH",
        "report --out PATH/results.md",
        "export RUN --format pt --out PATH/model.pt",
        "rollout RUN image.png --out PATH",
        "data mnist --data-dir PATH",
        "import images.zip --data-dir PATH",
    ],
)
def test_a_folder_that_may_not_be_written_is_named(words: str, deit: Program, run_id: str, sealed: Path) -> None:
    assert_refused(deit(*words.replace("PATH", str(sealed)).replace("RUN", run_id).split()), str(sealed))


def test_a_mistake_of_the_program_keeps_its_traceback(deit: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deit_core.cli.terminal.print_presets", None)
    with pytest.raises(TypeError):
        deit("presets")
