"""`curves`: curves of TensorBoard's files come into the store, are listed, and go."""

from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deit_core.cli.app import app
from deit_core.errors import DataError, RunError


def call(*words: str, runs_dir: Path) -> Result:
    return CliRunner().invoke(app, ["curves", *words, "--runs-dir", str(runs_dir)])


def test_curves_come_are_listed_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    monkeypatch.setenv("COLUMNS", "200")
    with closing(SummaryWriter(str(tmp_path / "mine"))) as writer:
        for step in range(3):
            writer.add_scalar("val/acc", 0.5, step)
        writer.add_scalar("gpu", 1, 0)
    imported = call("import", str(tmp_path / "mine"), "--name", "theirs", runs_dir=tmp_path)
    assert imported.output.splitlines()[0] == "theirs: val_accuracy from val/acc (3 points); left out: gpu."
    assert call("list", runs_dir=tmp_path).output == "theirs\n"
    assert isinstance(call("import", str(tmp_path / "mine"), "--name", "theirs", runs_dir=tmp_path).exception, RunError)
    assert call("delete", "theirs", runs_dir=tmp_path).output == "theirs is deleted.\n"
    assert call("list", runs_dir=tmp_path).output.startswith("No curves are imported;")


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    mistake = call("import", str(tmp_path / "nowhere"), runs_dir=tmp_path).exception
    assert isinstance(mistake, DataError)
    assert str(mistake).endswith("give the folder that `tensorboard --logdir` would show.")
    assert not (tmp_path / "runs.sqlite").exists()
