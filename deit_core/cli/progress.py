"""The progress of a training as a bar, in a terminal or a notebook: for the command, and in one call from Python."""

import sys
import time
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from deit_core.cli.terminal import escape, say
from deit_core.errors import RunError
from deit_core.events import EpochDone, Event, Reading, RunFailed, RunFinished, RunStarted, StepDone
from deit_core.metrics import (
    IMAGES_PER_S,
    TEST_ACCURACY,
    TRAIN_ACCURACY,
    TRAIN_LOSS,
    VAL_ACCURACY,
    VAL_LOSS,
)
from deit_core.spec import RunSpec
from deit_core.wording import duration, reading


def train_with_bar(spec: RunSpec, **options: Any) -> RunFinished:
    """Train one run, and show its progress: a bar in a terminal, and in a notebook that has ipywidgets; elsewhere a
    line for each epoch.

    A run that is interrupted continues with `resume=True` from the state that it saved last.

    Args: options: of `deit_core.training.train`; `run_dir` is needed.
    Returns: its last event, with the results on test images.
    Raises: as `train`; RunError where the run fails, such as by a loss that is not finite.
    """
    from deit_core.training import train  # loads torch

    finished = None
    with Progress() as progress:
        told = {"on_progress": partial(progress.show, spec)}
        with closing(train(spec, **(told | options))) as events:
            for event in events:
                progress.show(spec, event)
                match event:
                    case RunFinished():
                        finished = event
                    case RunFailed():
                        raise RunError(event.reason)
    assert finished is not None, "a training ends with one of these"
    return finished


class Progress:
    """A bar for each run with loss, accuracy, images/s and time left; where none can move, a line for each epoch.

    Before that, the progress of reading the images if it takes long; where no bar can move, one line per pass over
    them. Runs are told apart by their ids; one alone needs none.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[facts]}"),
            console=console,
        )
        self.is_live = find_spec("ipywidgets") is not None if console.is_jupyter else sys.stderr.isatty()
        self._tasks: dict[str, TaskID] = {}
        self._totals: dict[str, tuple[RunStarted, float]] = {}
        self._pass = "", ""  # over the images: the run, and the purpose

    def __enter__(self) -> Self:
        if self.is_live:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, run: RunSpec, event: Event, run_id: str = "") -> None:
        """Show one event of a run."""
        if run_id not in self._tasks:
            self._tasks[run_id] = self._bars.add_task(escape(run.name), facts="starting")
        match event:
            case Reading():
                self._bars.update(self._tasks[run_id], total=event.total, completed=event.done, facts=reading(event))
                if self._pass != (run_id, event.what):
                    self._pass = run_id, event.what
                    self._say(f"{run.name}: {reading(event)}")
            case RunStarted():
                self._totals[run_id] = (event, time.monotonic())
                self._bars.update(
                    self._tasks[run_id], total=event.total_steps, completed=event.first_step, facts="starting"
                )
            case StepDone():
                metrics = event.metrics
                self._bars.update(
                    self._tasks[run_id],
                    completed=event.step,
                    facts=f"loss {metrics[TRAIN_LOSS]:.3f}  accuracy {metrics[TRAIN_ACCURACY]:.1%}  "
                    f"{metrics[IMAGES_PER_S]:.0f} images/s  {duration(self._left_s(run_id, event.step))} left",
                )
            case EpochDone():
                metrics = event.metrics
                self._say(
                    f"{run.name}: epoch {event.epoch}/{run.optim.epochs}  train loss {metrics[TRAIN_LOSS]:.3f}  "
                    f"val loss {metrics[VAL_LOSS]:.3f}  val accuracy {metrics[VAL_ACCURACY]:.1%}  "
                    f"{duration(self._left_s(run_id, event.step))} left"
                )
            case RunFinished():
                self._bars.update(self._tasks[run_id], facts=f"test accuracy {event.metrics[TEST_ACCURACY]:.2%}")
                self._say(f"{run.name}: test accuracy {event.metrics[TEST_ACCURACY]:.2%} (epoch {event.best_epoch})")
                if event.note:
                    self._say(f"{run.name}: {event.note}")
            case RunFailed():
                self._say(f"{run.name}: {event.reason}")

    def _left_s(self, run_id: str, step: int) -> float:
        started, began_at = self._totals[run_id]
        return (time.monotonic() - began_at) / (step - started.first_step) * (started.total_steps - step)

    def _say(self, line: str) -> None:
        if not self.is_live:
            say(line, file=sys.stderr)
