"""The numbers that answer a lesson: of the learner's own runs of a preset, else those of its last measurement.

Knows runs and presets; no widgets.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dashboard.run_status import family as family_of
from dashboard.run_status import label
from dashboard.state import facts, runs, store
from dashboard.text import escape
from deit_core import presets
from deit_core.analysis.seeds import Sample
from deit_core.errors import DataError
from deit_core.metrics import TEST_ACCURACY
from deit_core.runs import Run, Status
from deit_core.spec import ExperimentSpec, listed_name, trainings

_CLEARLY = 1 / 3  # of the way from chance to no mistake


class Evidence(NamedTuple):
    """Test accuracy by the name of a run in its preset, over its seeds.

    source: a sentence that says whose numbers they are. own: the learner's runs; empty where none is completed.
    """

    accuracy: Mapping[str, Sample]
    source: str
    own: Sequence[Run]


class Answer(NamedTuple):
    """What the numbers say. `right` is the option of the guess that they support, from 0; None where they support none.

    source: a sentence that says whose numbers they are.
    """

    right: int | None
    sentence: str
    source: str


def evidence(preset: str) -> Evidence | None:
    """The newest completed experiment of a preset; else its last measurement; None where there is neither."""
    completed = [run for run in latest(preset) if run.status == Status.COMPLETED and TEST_ACCURACY in run.results]
    if completed and len(completed) == len(latest(preset)):
        names = dict.fromkeys(listed_name(run.spec) for run in completed)
        values = {
            name: Sample(tuple(run.results[TEST_ACCURACY] for run in completed if listed_name(run.spec) == name))
            for name in names
        }
        return Evidence(values, f"From your runs {_span(completed)}.", completed)
    spec = presets.get(preset)
    assert isinstance(spec, ExperimentSpec)
    if spec.expectation is None:
        return None
    where = f"Not your numbers yet: those of the last measurement of {preset} ({spec.expectation.measured_on})."
    return Evidence({name: Sample((value,)) for name, value in spec.expectation.accuracy.items()}, where, ())


def latest(preset: str) -> list[Run]:
    """The runs of the newest experiment of this preset in the store, whatever their status, in their order."""
    spec = presets.get(preset)
    names = {run.name for run in trainings(spec)}
    of_preset = [run for run in store().runs() if run.experiment_name == preset]
    newest = [run for run in of_preset if run.experiment_id == of_preset[0].experiment_id]
    return sorted((run for run in newest if listed_name(run.spec) in names), key=lambda run: run.number)


def of_preset(preset: str, name: str) -> Run | None:
    """The newest completed run of this name in an experiment of a preset."""
    wanted = (run for run in runs() if run.experiment_name == preset and listed_name(run.spec) == name)
    return next((run for run in wanted if run.status == Status.COMPLETED), None)


def newest(family: str, *, source: str = "") -> Run | None:
    """The newest run of a family that has learned, the learner's own before those that ship with the program.

    Args: family: "ViT", "DeiT", or another that `run_status.family` knows; source: only of these data.
    """
    wanted = [run for run in runs() if family_of(run) == family and source in ("", run.spec.data.source)]
    return next(filter(has_learned, wanted), None)


def has_learned(run: Run) -> bool:
    """Whether a run is completed and clearly above chance on test images.

    That is at least a third of the way from chance, where all classes are equally frequent, to no mistake.
    """
    if run.status != Status.COMPLETED or TEST_ACCURACY not in run.results:
        return False
    try:
        chance = 1 / len(facts(run.spec.data.model_dump_json()).classes)
    except DataError:  # a folder that was removed
        return False
    return run.results[TEST_ACCURACY] >= chance + _CLEARLY * (1 - chance)


def together(families: Sequence[str], *, source: str) -> list[Run]:
    """Completed runs to compare: one of each family on these data, of the newest experiment that has them all.

    Empty where no experiment has.
    """
    found: dict[str | None, dict[str, Run]] = {}
    for run in runs():
        if run.spec.data.source == source and run.status == Status.COMPLETED:
            found.setdefault(run.experiment_id, {}).setdefault(family_of(run), run)
    return next(([of[one] for one in families] for of in found.values() if of.keys() >= set(families)), [])


def most_seeds(shown: Sequence[Run]) -> list[Run]:
    """Those of some runs that differ in the seed alone: the most, and of equally many those that come first."""
    groups: dict[tuple[str | None, str], list[Run]] = {}
    for run in shown:
        groups.setdefault((run.experiment_id, listed_name(run.spec)), []).append(run)
    return max(groups.values(), key=len, default=[])


def from_runs(shown: Sequence[Run]) -> str:
    """A sentence on whose models these are."""
    names = ", ".join(escape(label(run)) for run in shown)
    if all(run.number <= 0 for run in shown):
        experiments = " and ".join(dict.fromkeys(escape(run.experiment_name) for run in shown if run.experiment_name))
        return f"From {names}. Train {experiments} to see your own numbers here."
    return f"From run{'' if len(shown) == 1 else 's'} {names}."


def from_newest(run: Run, *, source: str = "") -> str:
    """As `from_runs`, of a run that `newest` found, and which newer one it passed over."""
    newer = itertools.takewhile(lambda one: one.id != run.id, runs())
    alike = (one for one in newer if family_of(one) == family_of(run) and source in ("", one.spec.data.source))
    passed = next((one for one in alike if one.status == Status.COMPLETED and not has_learned(one)), None)
    if passed is None:
        return from_runs([run])
    return (
        f"{from_runs([run])} Run {escape(label(passed))} is newer, but has no test accuracy that is clearly above "
        "chance."
    )


def _span(completed: Sequence[Run]) -> str:
    first, last = completed[0].number, completed[-1].number
    return f"#{first} to #{last}" if last > first else f"#{first}"
