"""The preset on digits learns what it promises: its teacher as it is, its DeiT in less than a third of the epochs."""

from pathlib import Path

from deit_core import presets
from deit_core.events import RunFinished
from deit_core.spec import RunSpec, replace
from deit_core.training import train


def accuracy(spec: RunSpec, run_dir: Path) -> float:
    *_, last = train(spec, run_dir=run_dir)
    assert isinstance(last, RunFinished)
    return last.metrics["test_accuracy"]


def test_digits_quick_reaches_its_accuracy(tmp_path: Path) -> None:
    teacher, _, deit = presets.digits_quick().runs
    assert accuracy(teacher, tmp_path / "teacher") >= 0.98
    short = replace(deit, {"optim.epochs": 6, "optim.warmup_epochs": 1})
    assert isinstance(short, RunSpec)
    assert accuracy(short, tmp_path / "deit") >= 0.85
