"""A training from Python in one call, with its progress on stderr."""

from pathlib import Path

import pytest
from rich.console import Console

from deit_core import train_with_bar
from deit_core.cli import progress
from deit_core.errors import RunError
from deit_core.events import RunFailed
from deit_core.layout import RunFiles
from deit_core.spec import RunSpec, replace


def test_it_trains_and_says_a_line_for_each_epoch(
    tiny: RunSpec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = replace(tiny, {"optim.epochs": 2})
    finished = train_with_bar(spec, run_dir=tmp_path / "run", num_threads=1)
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.partition("  ")[0] for line in told.err.splitlines()[:3]] == [
        "tiny: epoch 1/2",
        "tiny: epoch 2/2",
        f"tiny: test accuracy {finished.metrics['test_accuracy']:.2%} (epoch {finished.best_epoch})",
    ]
    assert RunFiles(tmp_path / "run").best.exists()


def test_a_run_that_fails_raises_its_sentence(tiny: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deit_core.training.train", lambda *_, **__: (event for event in [RunFailed(1, "It broke.")]))
    with pytest.raises(RunError, match=r"^It broke\.$"):
        train_with_bar(tiny, run_dir="nowhere")


@pytest.mark.parametrize("has_widgets", [True, False])
def test_in_a_notebook_the_bar_needs_widgets(has_widgets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "Console", lambda **_: Console(force_jupyter=True))
    monkeypatch.setattr(progress, "find_spec", lambda _: "widgets" if has_widgets else None)
    assert progress.Progress().is_live == has_widgets
