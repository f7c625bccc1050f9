"""What the folder of a run says about it, for a store that has lost the run.

Reads the spec, the curve and the log, and where these are missing the cards of the weights, for which it loads torch.
Knows no store.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deit_core.errors import CheckpointError, RunError, SpecError
from deit_core.events import EpochDone, RunFinished, RunStarted, StepDone
from deit_core.layout import RunFiles
from deit_core.metrics import BEST_EPOCH, BEST_VAL_ACCURACY, VAL_ACCURACY
from deit_core.run_files import curve_file
from deit_core.run_files.curve_file import CurveEvent
from deit_core.runs.meaning import point_of, results_after
from deit_core.runs.records import NewPoint, Status
from deit_core.runs.rows import is_run_id
from deit_core.spec import RunSpec, load_spec

if TYPE_CHECKING:
    from deit_core.models import ModelCard

_LOG_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:(completed|stopped|interrupted|failed)(?: (.+))?$)?")


@dataclass
class FoundRun:
    """A run as its folder shows it. `lost` are parts of a sentence: what of it cannot be known."""

    id: str
    spec: RunSpec
    created_at: float
    finished_at: float
    status: Status = Status.INTERRUPTED
    message: str = ""
    step: int = 0
    total_steps: int = 0
    epoch: int = 0
    results: dict[str, float] = field(default_factory=dict)
    points: list[NewPoint] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def references(self) -> set[str]:
        """The runs or files that its spec names: its teacher, and the weights that it starts from."""
        teacher = self.spec.distillation.teacher if self.spec.distillation else ""
        return {teacher, self.spec.initial_checkpoint} - {""}


def folders_of_runs(runs_dir: Path) -> list[Path]:
    """The folders of runs in the runs folder, by name; folders with other contents are left out."""
    if not runs_dir.is_dir():
        return []
    folders = sorted(path for path in runs_dir.iterdir() if is_run_id(path.name) and path.is_dir())
    return [folder for folder in folders if any(_files(folder))]


def find_run(folder: Path) -> FoundRun:
    """Raises: RunError where the folder holds no spec, or none that this version can read."""
    files = RunFiles(folder)
    times = sorted(file.stat().st_mtime for file in _files(folder))
    log = list(_log(files.log))
    run = FoundRun(folder.name, _spec(files), min([times[0], *(at for at, _, _ in log[:1])]), times[-1])
    if events := curve_file.counting(curve_file.read(files.curve)):
        _follow(run, events)
    elif cards := {card.epoch: card for card in _cards(files)}:
        _count_up(run, files, cards)
    ends = [(status, message) for _, status, message in log if status]
    if run.status != Status.COMPLETED:
        _say_how_it_ended(run, files, *(ends[-1] if ends else ("", "")))
    return run


def _follow(run: FoundRun, events: list[CurveEvent]) -> None:
    steps_per_epoch = 1
    for event in events:
        run.status = Status.INTERRUPTED
        run.results = results_after(event, run.results)
        match event:
            case RunStarted():
                steps_per_epoch, run.total_steps = event.steps_per_epoch, event.total_steps
                run.step, run.epoch = event.first_step, event.first_epoch
                run.points.append(point_of(event, steps_per_epoch))
            case StepDone():
                run.step = event.step
                run.points.append(point_of(event, steps_per_epoch))
            case EpochDone():
                run.step, run.epoch = event.step, event.epoch
                run.points.append(point_of(event, steps_per_epoch))
            case RunFinished():
                run.status, run.message = Status.COMPLETED, event.note


def _count_up(run: FoundRun, files: RunFiles, cards: "dict[int, ModelCard]") -> None:
    """From the cards of the weights, for a folder from before it had a curve."""
    last = cards[max(cards)]
    run.step, run.epoch = last.step, last.epoch
    run.total_steps = last.step * run.spec.optim.epochs // max(1, last.epoch)
    run.points = [
        NewPoint("start", 0, 0.0, 0.0, {}),
        *(NewPoint("epoch", card.step, float(epoch), 0.0, card.metrics) for epoch, card in sorted(cards.items())),
    ]
    run.results |= last.metrics
    if (best := _card(files.best)) is not None:
        run.results |= {BEST_EPOCH: best.epoch, BEST_VAL_ACCURACY: best.metrics.get(VAL_ACCURACY, 0.0)}
    run.lost.append("its points between epochs")
    if run.epoch == run.spec.optim.epochs:
        run.lost.append("its results on test images")


def _say_how_it_ended(run: FoundRun, files: RunFiles, status: str, message: str) -> None:
    if status in (Status.STOPPED, Status.INTERRUPTED, Status.FAILED):
        run.status, run.message = Status(status), message
    elif files.state.exists() or not run.epoch:
        run.message = "It was found in its folder. Resume goes on from the last saved state."
    else:
        run.message = (
            f"It was found in its folder without {files.state.name}, so it cannot be resumed; its weights can be used."
        )


def _spec(files: RunFiles) -> RunSpec:
    """The spec in the folder, or else on the card of its weights. Raises: RunError where there is none."""
    try:
        spec = load_spec(files.spec.read_bytes())
        if isinstance(spec, RunSpec):
            return spec
        reason = f"{files.spec.name} is the spec of an experiment"
    except FileNotFoundError:
        reason = f"it has no {files.spec.name}"
    except SpecError as error:
        reason = f"{files.spec.name} cannot be read: {str(error)[:200]}"
    if (card := next(_cards(files), None)) is not None:
        return card.spec
    raise RunError(f"The folder {files.folder} is left out: {reason.rstrip('.')}.")


def _cards(files: RunFiles) -> "Iterator[ModelCard]":
    for file in (files.last, files.best, *files.epochs().values()):
        if (card := _card(file)) is not None:
            yield card


def _card(file: Path) -> "ModelCard | None":
    from deit_core.models import read_card

    try:
        return read_card(file)
    except CheckpointError:
        return None


def _log(path: Path) -> Iterator[tuple[float, str, str]]:
    """Of each line that has a time: the time, and the status and message of a session that ended there."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        if match := _LOG_LINE.match(line):
            time, status, message = match.groups(default="")
            yield datetime.strptime(time, "%Y-%m-%d %H:%M:%S").astimezone().timestamp(), status, message


def _files(folder: Path) -> list[Path]:
    files = RunFiles(folder)
    named = (files.spec, files.curve, files.last, files.best, files.state, files.log, *files.epochs().values())
    return [file for file in named if file.is_file()]
