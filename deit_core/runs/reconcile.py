"""The store is corrected from the folder of a run, where a kill or a power cut came between the writes of both.

A session that starts from a saved state knows how far the run is. What the folder says up to there is right: the store
gets the points that it lacks and loses those that it should not have. Knows folders and stores; nothing of processes.
"""

from dataclasses import dataclass
from pathlib import Path

from deit_core.errors import CheckpointError
from deit_core.events import EpochDone, RunStarted, StepDone
from deit_core.layout import RunFiles
from deit_core.metrics import BEST_EPOCH, BEST_VAL_ACCURACY, VAL_ACCURACY
from deit_core.run_files.curve_file import CurveEvent, counting, read
from deit_core.runs.curves import Curves
from deit_core.runs.meaning import point_of, results_after, start_at
from deit_core.runs.records import NewPoint, Point, Run
from deit_core.runs.store import Store

_ORDER = ("start", "step", "epoch")


@dataclass(frozen=True)
class Correction:
    """What to write into the store before the points of a new session; `results` are all of the run's."""

    points: list[NewPoint]
    results: dict[str, float]


def correction(store: Store, run: Run, folder: Path, started: RunStarted) -> Correction:
    """What the store lacks of a run whose new session is `started`.

    The curve of a run that an older version started begins at a later session; before it, the store's points and the
    cards of the weights count.
    """
    events, begin = _events(folder, started)
    stored = [one for one in Curves(store).of(run) if one.step <= started.first_step]
    wanted = [_as_new(one) for one in stored if one.step <= begin]
    wanted += [point_of(one, started.steps_per_epoch) for one in events if isinstance(one, StepDone | EpochDone)]
    results = dict(run.results) if begin else {}
    for event in events:
        results = results_after(event, results)
    if begin and started.first_epoch:
        results |= _from_cards(RunFiles(folder), started, wanted)
    return Correction(_changes(stored, wanted, started.steps_per_epoch), results)


def _events(folder: Path, started: RunStarted) -> tuple[list[CurveEvent], int]:
    """What the folder's curve says that the session continues from, and the step after which it is complete."""
    events = counting([*read(RunFiles(folder).curve), started])[:-1]
    if not events or not isinstance(events[0], RunStarted):
        return [], started.first_step
    return events, events[0].first_step


def _from_cards(files: RunFiles, started: RunStarted, wanted: list[NewPoint]) -> dict[str, float]:
    """Results of the last and of the best epoch; the last one's point is added to `wanted` if it is missing."""
    from deit_core.models import read_card

    results: dict[str, float] = {}
    try:
        last, best = read_card(files.last), read_card(files.best)
    except CheckpointError:
        return {}
    if last.epoch == started.first_epoch:
        results |= last.metrics
        if not any((one.kind, one.step) == ("epoch", last.step) for one in wanted):
            elapsed_s = max((one.elapsed_s for one in wanted if one.step <= last.step), default=0.0)
            wanted.append(NewPoint("epoch", last.step, last.step / started.steps_per_epoch, elapsed_s, last.metrics))
            wanted.sort(key=lambda one: (one.step, _ORDER.index(one.kind)))
    if best.epoch <= started.first_epoch:
        results |= {BEST_EPOCH: best.epoch, BEST_VAL_ACCURACY: best.metrics[VAL_ACCURACY]}
    return results


def _changes(stored: list[Point], wanted: list[NewPoint], steps_per_epoch: int) -> list[NewPoint]:
    """What to write after the stored points, so that the wanted ones are the run's."""
    num_equal = 0
    for one, other in zip(stored, wanted, strict=False):
        if (one.kind, one.step, one.metrics) != (other.kind, other.step, other.metrics):
            break
        num_equal += 1
    if num_equal == len(stored):
        return wanted[num_equal:]
    steps = [*(one.step for one in stored[num_equal:]), *(one.step for one in wanted[num_equal:])]
    last = min(steps) - 1
    return [start_at(last, steps_per_epoch), *(one for one in wanted if one.step > last)]


def _as_new(point: Point) -> NewPoint:
    return NewPoint(point.kind, point.step, point.epoch, point.elapsed_s, point.metrics)
