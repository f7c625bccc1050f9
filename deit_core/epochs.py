"""The weights that a run keeps after each epoch: how their files are named, and found again.

Knows names; reads no file and loads nothing, so that a page can ask.
"""

from pathlib import Path

_FOLDER = "epochs"  # inside a run's


def epoch_file(run_dir: Path, epoch: int) -> Path:
    """Where a run keeps the weights after an epoch, counted from 1."""
    return run_dir / _FOLDER / f"{epoch:04d}.safetensors"


def epoch_files(run_dir: Path) -> dict[int, Path]:
    """The files that are there, in the order of their epochs; others that somebody put beside them are left out."""
    numbers = {int(path.stem) for path in (run_dir / _FOLDER).glob("*.safetensors") if path.stem.isdecimal()}
    files = {epoch: epoch_file(run_dir, epoch) for epoch in sorted(numbers)}
    return {epoch: file for epoch, file in files.items() if file.is_file()}
