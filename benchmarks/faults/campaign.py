"""A campaign: runs train, are struck at random moments and resumed, until they end; then each is compared with a twin.

Knows how the parts of this folder work together; prints nothing.
"""

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import power
from benchmarks.faults.agreement import differences, outcome
from benchmarks.faults.moments import MOMENTS, moment
from benchmarks.faults.workplace import PATIENCE_S, Workplace
from deit_core import presets
from deit_core.errors import CheckpointError, RunError
from deit_core.layout import RunFiles, plans_folder, run_folder
from deit_core.models import load_checkpoint
from deit_core.run_files.prediction_file import read_predictions
from deit_core.run_files.view_file import read_views
from deit_core.runs import Run, Status
from deit_core.runs.foreground import train_here
from deit_core.runs.sqlite_database import sqlite_path
from deit_core.spec import ExperimentSpec, replace

STRIKES = ("SIGKILL", "SIGTERM", "SIGSTOP", "power cut")
VICTIMS = ("worker", "server", "both")
NO_MOMENT = "none of these"  # the one that was waited for did not come in time
_SPEC = {
    "optim.epochs": 5,
    "optim.warmup_epochs": 0.5,
    "model.patch_size": 4,
    "model.depth": 2,
    "model.embed_dim": 32,
    "model.width": 8,
    "compute.precision": "float32",
    "compute.num_threads": 1,
    "compute.checkpoint_interval_s": 0.3,
    "augment.mixup_alpha": 0,  # images that come again have a table of the teacher's logits
}
_MOMENT_S = 5.0


@dataclass
class Report:
    """`strikes` counts (what, who, when); the lists are sentences."""

    strikes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    num_runs: int = 0
    num_points: int = 0
    unfinished: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    seconds: float = 0.0


def spec_of(seed: int) -> ExperimentSpec:
    """A teacher, a ViT and a DeiT on digits, in seconds."""
    return replace(presets.digits_quick(), {**_SPEC, "seed": seed})


def run_campaign(
    folder: Path,
    num_kills: int,
    seed: int,
    *,
    has_server: bool = True,
    on_strike: Callable[[int], object] = lambda _: None,
) -> Report:
    """Args: on_strike: called with the number of strikes so far, after each."""
    began_at, rng, report = time.monotonic(), random.Random(seed), Report()
    place = Workplace(folder / "disturbed", has_server=has_server)
    ids: list[list[str]] = []
    strikes = _strikes(rng, num_kills, has_server)
    try:
        for number, (what, who, when) in enumerate(strikes, 1):
            while not _trains(place, when):
                ids.append(place.submit(spec_of(len(ids))))
            _strike(place, rng, report, (what, who, when))
            on_strike(number)
        _wait(lambda: not place.unfinished(), place)
        _compare(place, ids, folder / "twins", report)
    finally:
        place.close()
    report.seconds = time.monotonic() - began_at
    return report


def _strikes(rng: random.Random, count: int, has_server: bool) -> Iterator[tuple[str, str, str]]:
    """Kinds and moments take turns, so that a short campaign has all of them; the rest is drawn."""
    whats, whens = rng.sample(STRIKES, len(STRIKES)), rng.sample(MOMENTS, len(MOMENTS))
    for number in range(count):
        who = rng.choice(VICTIMS) if has_server else "worker"
        what = whats[number % len(whats)]
        yield what, "both" if what == "power cut" else who, whens[number % len(whens)]


def _trains(place: Workplace, when: str) -> bool:
    """Wait until a worker is there and, but for a strike at its start, writes a point; False if all runs end first."""
    newest = _newest(place)

    def is_there() -> bool:
        return bool(place.pids("worker")) and (when == "start" or _newest(place) > newest)

    _wait(lambda: not place.unfinished() or is_there(), place)
    return bool(place.unfinished())


def _strike(place: Workplace, rng: random.Random, report: Report, strike: tuple[str, str, str]) -> None:
    what, who, when = strike
    has_come, deadline = moment(when, place.store, place.settings), time.monotonic() + _MOMENT_S
    while not has_come() and time.monotonic() < deadline:
        time.sleep(0.001)
    when = when if has_come() else NO_MOMENT
    time.sleep(rng.random() * (1.0 if when in ("start", "training", NO_MOMENT) else 0.02))
    report.strikes[what, who, when] += 1
    if what != "power cut":
        place.strike(place.pids(who), signal.Signals[what])
        return
    place.strike(place.pids("both"), signal.SIGKILL)
    if (files := power.newest_folder(place.settings.runs_dir)) is not None:
        report.cuts[power.cut(files, rng) if rng.random() < 0.5 else power.undo(files)] += 1
    database = sqlite_path(place.store.database.url)
    power.keep_log(database)
    place.store.close()
    report.cuts[power.cut_log(database, rng)] += 1
    place.open()


def _newest(place: Workplace) -> int:
    """The number of the newest point."""
    return max((point.seq for run in place.unfinished() for point in place.store.points(run.id)), default=0)


def _wait(condition: Callable[[], bool], place: Workplace) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(str([(run.name, run.status, run.message) for run in place.unfinished()]))
        place.keep_going()
        time.sleep(0.1)


def _compare(place: Workplace, ids: list[list[str]], folder: Path, report: Report) -> None:
    undisturbed = Workplace(folder, has_server=False)
    runs_dir = undisturbed.settings.runs_dir
    shutil.copytree(plans_folder(place.settings.runs_dir), plans_folder(runs_dir))
    for seed, run_ids in enumerate(ids):
        twins, _ = train_here(undisturbed.store, undisturbed.settings, spec_of(seed), lambda *_: None)
        for run_id, twin in zip(run_ids, twins, strict=True):
            _compare_one(place, place.store.run(run_id), undisturbed, twin, report)
    undisturbed.close()


def _compare_one(place: Workplace, run: Run, undisturbed: Workplace, twin: Run, report: Report) -> None:
    runs_dir = place.settings.runs_dir
    report.num_runs += 1
    report.num_points += len(place.store.points(run.id))
    if run.status != Status.COMPLETED:
        report.unfinished.append(f"{run.name} {run.id}: {run.status}, {run.message}")
        return
    files = RunFiles(run_folder(runs_dir, run.id))
    readers: dict[Path, Callable[[Path], object]] = {files.predictions: read_predictions, files.views: read_views}
    for file in files.folder.rglob("*.safetensors"):
        try:
            readers.get(file, load_checkpoint)(file)
        except (CheckpointError, RunError) as error:
            report.damaged.append(str(error))
    theirs = outcome(undisturbed.store, twin.id, undisturbed.settings.runs_dir)
    found = differences(outcome(place.store, run.id, runs_dir), theirs)
    report.different += [f"{run.name} {run.id}: {one}" for one in found]
