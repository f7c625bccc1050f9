"""Where the numbers of a report come from: the command that gives them again, machine, versions, dates, data.

Reads the cards of checkpoints; knows nothing of tables.
"""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deit_core import presets
from deit_core.analysis import sampling_sd
from deit_core.catalog import SOURCES
from deit_core.errors import CheckpointError
from deit_core.image_folders.facts import title_of
from deit_core.layout import run_folder
from deit_core.metrics import NUM_TEST, NUM_TRAIN, NUM_VAL, TEST_ACCURACY, TRAIN_TIME_S
from deit_core.runs import Run
from deit_core.runs.condition import label
from deit_core.spec import AnySpec, change_text, changes_between, file_name, listed_name
from deit_core.wording import duration

if TYPE_CHECKING:
    from deit_core.models import ModelCard


def command(spec: AnySpec) -> str | None:
    """The command that trains a spec again from the preset that is nearest to it; None where it is made of none."""
    commands: list[list[str]] = []
    for name in presets.names():
        changes = changes_between(presets.get(name), spec)
        if changes is not None:
            changes.pop("description", None)  # trains nothing
            settings = (("--set", change_text(path, value)) for path, value in changes.items())
            commands.append([name, *(word for setting in settings for word in setting)])
    if not commands:
        return None
    return shlex.join(["python", "-m", "deit_core", "train", *min(commands, key=len)])


def facts(runs: Sequence[Run], by_id: Mapping[str, Run], runs_dir: Path) -> Iterator[str]:
    """Sentences on when, where and with what runs were trained.

    Args: by_id: all runs of the store.
    """
    cards = {run.id: card for run in runs if (card := _card(runs_dir, run)) is not None}

    def by_card(words: Callable[["ModelCard"], str]) -> str:
        return _by_value(runs, lambda run: words(cards[run.id]) if run.id in cards else "")

    began = min(run.started_at or run.created_at for run in runs)
    ended = max(run.finished_at or run.created_at for run in runs)
    took = sum(run.results.get(TRAIN_TIME_S, 0.0) for run in runs)
    yield f"Trained from {_date(began)} to {_date(ended)} UTC, {duration(took)} of training in all."
    yield f"Machine: {by_card(_machine)}."
    yield f"Software: {by_card(_software)}."
    yield f"Precision: {by_card(lambda card: card.precision or card.spec.compute.precision)}."
    yield f"Data: {_by_value(runs, _data)}."
    ids = {run.id for run in runs}
    students = [run for run in runs if run.spec.distillation and run.spec.distillation.teacher not in ids]
    if students:
        yield f"Teacher from elsewhere: {_by_value(students, lambda run: _teacher(run, by_id))}."


def chance(runs: Sequence[Run]) -> str:
    """A sentence on how far the choice of test images alone moves such accuracies; empty where none is known."""
    counts = {_num_test(run) for run in runs}
    count = counts.pop() if len(counts) == 1 else None
    if count is None:
        return ""
    accuracies = [run.results[TEST_ACCURACY] for run in runs]
    ends = sorted({min(accuracies), max(accuracies)})
    parts = " and ".join(f"{100 * sampling_sd(end, count):.2f} points at {end:.1%}" for end in ends)
    return f"Sampling standard deviation of an accuracy on {count:,} test images: {parts}."


def _card(runs_dir: Path, run: Run) -> "ModelCard | None":
    from deit_core.models import read_card

    try:
        return read_card(run_folder(runs_dir, run.id))
    except CheckpointError:  # it ended before its first epoch, or its folder is elsewhere
        return None


def _by_value(runs: Sequence[Run], words: Callable[[Run], str]) -> str:
    """A fact about the runs: once where it is the same for all, else with their names."""
    names_by_value: dict[str, dict[str, None]] = {}
    for run in runs:
        names_by_value.setdefault(words(run) or "not recorded", {})[listed_name(run.spec)] = None
    if len(names_by_value) == 1:
        return next(iter(names_by_value))
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in names_by_value.items())


def _teacher(student: Run, by_id: Mapping[str, Run]) -> str:
    assert student.spec.distillation is not None
    teacher = by_id.get(student.spec.distillation.teacher)
    if teacher is None:
        return file_name(student.spec.distillation.teacher)
    where = f" of {teacher.experiment_name}" if teacher.experiment_name else ""
    accuracy = teacher.results.get(TEST_ACCURACY)
    return f"run {label(teacher)}{where}" + (f", {accuracy:.2%} on test" if accuracy is not None else "")


def _machine(card: "ModelCard") -> str:
    machine = card.machine
    if not machine:
        return ""
    words = f"{machine['cores']} cores of {machine['cpu']}, {machine['memory']}, {machine['system']}"
    return f"{machine['gpu']}, {words}" if "gpu" in machine else f"{words}, no GPU"


def _software(card: "ModelCard") -> str:
    parts = [f"{name} {version}" for name, version in card.versions.items()]
    return ", ".join([*parts, *([f"commit {card.machine['commit']}"] if "commit" in card.machine else [])])


def _data(run: Run) -> str:
    words = title_of(run.spec.data)
    counts = {"training": run.results.get(NUM_TRAIN), "validation": run.results.get(NUM_VAL)}
    parts = [f"{count:,.0f} {what}" for what, count in (counts | {"test": _num_test(run)}).items() if count is not None]
    return f"{words}, {', '.join(parts)} images" if parts else words


def _num_test(run: Run) -> int | None:
    if NUM_TEST in run.results:
        return int(run.results[NUM_TEST])
    source = run.spec.data.source  # an older run
    return SOURCES[source].num_test if source in SOURCES else None


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
