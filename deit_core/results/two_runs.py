"""Two completed runs and what they answered, ready to be compared: on the same images, with their teacher and seeds.

Knows the store and the folders of runs; `deit_core.analysis` computes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis import TRUTH, Background, Pairing, PassedOn, Sample, Verdict, judge, passed_on, seed_groups
from deit_core.errors import RunError
from deit_core.layout import RunFiles, run_folder
from deit_core.metrics import BEST_VAL_ACCURACY, TEST_ACCURACY
from deit_core.results.closed_share import share_of_lead
from deit_core.results.taught_views import TaughtViews, taught_views
from deit_core.run_files.prediction_file import KeptPredictions, Predictions, read_predictions
from deit_core.runs import Run, RunReader, Status
from deit_core.runs.condition import label
from deit_core.runs.predictor import check_completed
from deit_core.spec import SEARCH_TAG

Part = Literal["test", "validation"]
Read = Callable[[Path], KeptPredictions]

_HEADS_MISSING = "heads and embeddings are left out, because the file would be too large with them."

_SCORES: dict[Part, str] = {"test": TEST_ACCURACY, "validation": BEST_VAL_ACCURACY}


@dataclass(frozen=True, eq=False)
class Answers:
    """What a run answered. `name` tells it from the others; `part` says for which images it is compared."""

    name: str
    run: Run
    kept: KeptPredictions
    part: Part

    @property
    def predictions(self) -> Predictions:
        return self.kept.test if self.part == "test" else self.kept.val

    @property
    def decisions(self) -> NDArray[np.int64]:
        decisions: NDArray[np.int64] = self.predictions.logits.argmax(axis=1)
        return decisions

    @property
    def decisions_by_head(self) -> dict[str, NDArray[np.int64]]:
        """Of each head, where two are kept, and of the model."""
        heads = {"class": self.predictions.logits_class, "distillation": self.predictions.logits_distillation}
        found = {f"{self.name}, {head}": logits.argmax(axis=1) for head, logits in heads.items() if logits is not None}
        return found | {self.name: self.decisions}

    def is_on_images_of(self, other: "Answers") -> bool:
        """Whether both are for the same images."""
        mine, theirs = self.kept.facts, other.kept.facts
        if (mine.data_hash, mine.classes) != (theirs.data_hash, theirs.classes):
            return False
        if self.part == "validation" and self.run.spec.data.split[1:] != other.run.spec.data.split[1:]:
            return False  # the first is the path, by which others may know the same images
        return np.array_equal(self.predictions.labels, other.predictions.labels)


@dataclass(frozen=True, eq=False)
class TwoRuns:
    """Two runs, of which a student is the second, and the teacher of either if it answered for the same images.

    part: which images they are compared on: validation for runs of a search, else test.
    taught: what the teacher of each student among the two says of its training views.
    notes: sentences on what is missing.
    """

    part: Part
    classes: tuple[str, ...]
    first: Answers
    second: Answers
    teacher: Answers | None
    verdict: Verdict
    taught: tuple[TaughtViews, ...]
    notes: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.first.predictions.labels

    @property
    def models(self) -> tuple[Answers, ...]:
        """The teacher first, if there is one."""
        return (*([self.teacher] if self.teacher else []), self.first, self.second)

    @property
    def passed_on(self) -> PassedOn | None:
        """What the teacher passed on; None without one that answered for the same images."""
        if self.teacher is None:
            return None
        students = {one.name: one.decisions for one in (self.first, self.second)}
        return passed_on(self.labels, (self.teacher.name, self.teacher.decisions), students)

    @property
    def decisions(self) -> dict[str, NDArray[np.int64]]:
        """The truth, and the decisions of all models and heads."""
        found = {TRUTH: self.labels}
        for model in self.models:
            found |= model.decisions_by_head
        return found


def compare_runs(
    store: RunReader, runs_dir: Path, first_id: str, second_id: str, read: Read = read_predictions
) -> TwoRuns:
    """Compare two runs by what they answered. Runs no model.

    Args:
        first_id, second_id: numbers of runs, their ids or the beginnings of these.
        read: reads a file of predictions, for callers who keep what they have read.
    Raises: RunError where one is not completed, has no predictions, or was evaluated on other images.
    """
    runs = [store.run(first_id), store.run(second_id)]
    if runs[0].id == runs[1].id:
        raise RunError(f"Both are run {label(runs[0])}; name two different runs.")
    first, second = sorted(runs, key=lambda run: run.spec.distillation is not None)
    part: Part = "validation" if any(SEARCH_TAG in run.spec.tags for run in runs) else "test"
    mine, theirs = (_answers(run, runs_dir, part, read) for run in (first, second))
    if not mine.is_on_images_of(theirs):
        raise RunError(
            f"Run {label(first)} and run {label(second)} were not evaluated on the same "
            "images; compare runs on the same data."
        )
    by_id = {run.id: run for run in reversed(store.runs())}
    teacher, notes = _teacher(mine, theirs, by_id, runs_dir, read)
    notes += [f"{one.name}: {_HEADS_MISSING}" for one in (mine, theirs) if one.kept.facts.logits_alone]
    mine, theirs, *others = _named([mine, theirs, *([teacher] if teacher else [])])
    verdict = judge(
        mine.predictions.labels,
        mine.kept.facts.classes,
        {one.name: one.decisions for one in (mine, theirs)},
        _background(mine, theirs, by_id),
    )
    teacher = others[0] if others else None
    taught = (taught_views(one.name, one.run, runs_dir) for one in (mine, theirs) if one.run.spec.distillation)
    return TwoRuns(part, mine.kept.facts.classes, mine, theirs, teacher, verdict, tuple(taught), tuple(notes))


def _answers(run: Run, runs_dir: Path, part: Part, read: Read) -> Answers:
    check_completed(run)
    return Answers(run.name, run, read(RunFiles(run_folder(runs_dir, run.id)).predictions), part)


def _teacher(
    first: Answers, second: Answers, by_id: Mapping[str, Run], runs_dir: Path, read: Read
) -> tuple[Answers | None, list[str]]:
    """The teacher of a student, unless it is the other run; and sentences on why it is missing."""
    taught = [one.run.spec.distillation.teacher for one in (second, first) if one.run.spec.distillation is not None]
    run = by_id.get(taught[0]) if taught else None
    if run is None or run.id in (first.run.id, second.run.id):
        return None, []
    try:
        teacher = _answers(run, runs_dir, first.part, read)
        if not teacher.is_on_images_of(first):
            raise RunError("It was not evaluated on the same images.")
    except RunError as error:
        return None, [f"The teacher, run {label(run)}, is left out. {error}"]
    return teacher, []


def _named(answers: Sequence[Answers]) -> list[Answers]:
    """With the numbers of runs where two have one name, or one is called as the truth is."""
    names = [TRUTH, *(one.name for one in answers)]
    return [
        replace(one, name=f"{one.name} ({one.run.number})") if names.count(one.name) > 1 else one for one in answers
    ]


def _background(mine: Answers, theirs: Answers, by_id: Mapping[str, Run]) -> Background:
    first, second, part = mine.run, theirs.run, mine.part
    score = _SCORES[part]
    pairs = _same_seeds(first, second, by_id, score)
    gains = [by_id[other].results[score] - by_id[one].results[score] for one, other in pairs]
    is_taught = first.spec.distillation is None and second.spec.distillation is not None
    known = all(score in run.results for run in (first, second))
    closed = None
    if is_taught and known and first.spec.model.family == second.spec.model.family:  # else the first may be a teacher
        closed = share_of_lead(Pairing(0, 1, tuple(pairs) or ((first.id, second.id),)), by_id, score)
    known_size = facts.native_size if (facts := first.spec.data.facts) else None
    return Background(
        part=part,
        gains=Sample(tuple(gains)) if len(gains) > 1 else None,
        closed=closed,
        teacher_accuracy=_teacher_accuracy(second, by_id, score) if closed is not None else None,
        img_size=min(first.spec.data.img_size, second.spec.data.img_size),
        native_size=mine.kept.facts.native_size or known_size or 0,
    )


def _teacher_accuracy(student: Run, by_id: Mapping[str, Run], score: str) -> float | None:
    teacher = by_id.get(student.spec.distillation.teacher) if student.spec.distillation is not None else None
    return None if teacher is None else teacher.results.get(score)


def _same_seeds(first: Run, second: Run, by_id: Mapping[str, Run], score: str) -> list[tuple[str, str]]:
    """The ids of completed runs that differ from these two in the seed alone, seed by seed, these two among them."""
    done = [run.id for run in by_id.values() if run.status == Status.COMPLETED and score in run.results]
    specs = {run_id: run.spec for run_id, run in by_id.items()}
    groups = seed_groups(done, specs)
    mine, theirs = (next((group for group in groups if run.id in group), []) for run in (first, second))
    if mine == theirs:
        return []
    by_seed = {specs[run_id].seed: run_id for run_id in theirs}
    return [(run_id, by_seed[specs[run_id].seed]) for run_id in mine if specs[run_id].seed in by_seed]
