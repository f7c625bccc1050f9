"""What a student's teacher says of its training views, in numbers and in words, for pages, tables and files.

Knows the folder of a run; `deit_core.analysis` counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis import Contradictions, contradictions, contradicts
from deit_core.analysis.probabilities import softmax
from deit_core.errors import RunError
from deit_core.layout import RunFiles, run_folder
from deit_core.run_files.view_file import KeptViews, read_views
from deit_core.runs import Run
from deit_core.wording import counted


class ContradictedView(NamedTuple):
    """A view that the teacher contradicts.

    image: the number of the training image; of two mixed ones, that of the larger share.
    labels: the numbers of its true classes, one or two.
    answer, probability: the teacher's class, and how sure it is.
    picture: (height, width, 3) uint8; None where none is kept.
    """

    image: int
    labels: tuple[int, ...]
    answer: int
    probability: float
    picture: NDArray[np.uint8] | None

    def caption(self, classes: Sequence[str]) -> str:
        """The label and the teacher's word."""
        names = " + ".join(classes[label] for label in self.labels)
        return f"{names}; teacher: {classes[self.answer]} ({self.probability:.0%})"

    def alt(self, classes: Sequence[str]) -> str:
        """The same as a sentence, for people who do not see the picture."""
        names = " and ".join(classes[label] for label in self.labels)
        return (
            f"View of training image {self.image}, true class {names}: the teacher says {classes[self.answer]}, with "
            f"a probability of {self.probability:.0%}."
        )


@dataclass(frozen=True, eq=False)
class TaughtViews:
    """Those of a student. `kept` is None where there are none, and `reason` then says why.

    is_missing: there is no file, as of a run of an older version.
    """

    name: str
    run: Run
    kept: KeptViews | None
    reason: str = ""
    is_missing: bool = False

    @property
    def counts(self) -> Contradictions | None:
        if self.kept is None:
            return None
        views = self.kept.views
        return contradictions(views.decisions, views.labels, views.other_labels)

    @property
    def sentence(self) -> str:
        """How often the teacher contradicts the label, or why that is not known."""
        found = self.counts
        if self.kept is None or found is None:
            return self.reason or f"No training view of {self.name} has a label."
        words = (
            f"The teacher of {self.name} contradicts the label on {found.contradicted:,} of "
            f"{counted(found.num_views, 'training view')} ({found.share:.1%}), the first of epoch "
            f"{self.kept.facts.epoch}."
        )
        if not found.num_mixed:
            return words
        if found.num_mixed == found.num_views:
            return f"{words} Each view is two images in one and has two labels; there the teacher says neither."
        return (
            f"{words} Of these views {found.num_mixed:,} are two images in one and have two labels; the teacher says "
            f"neither on {found.contradicted_mixed:,} of them."
        )

    @property
    def contradicted_views(self) -> list[ContradictedView]:
        return list(self._contradicted_views())

    def _contradicted_views(self) -> Iterator[ContradictedView]:
        if self.kept is None:
            return
        views = self.kept.views
        pictures = dict(zip(views.pictured.tolist(), views.pictures, strict=True))
        decisions, chances = views.decisions, softmax(views.logits)
        for view in np.flatnonzero(contradicts(decisions, views.labels, views.other_labels)).tolist():
            labels = int(views.labels[view]), int(views.other_labels[view])
            picture = pictures.get(view)
            answer = int(decisions[view])
            yield ContradictedView(
                image=int(views.images[view]),
                labels=tuple(dict.fromkeys(label for label in labels if label >= 0)),
                answer=answer,
                probability=float(chances[view, answer]),
                picture=None if picture is None else _in_colour(picture),
            )


def _in_colour(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(C, height, width) -> (height, width, 3)."""
    return np.ascontiguousarray(np.broadcast_to(picture, (3, *picture.shape[1:])).transpose(1, 2, 0))


def taught_views(name: str, run: Run, runs_dir: Path) -> TaughtViews:
    """Those of a student that is called `name`."""
    file = RunFiles(run_folder(runs_dir, run.id)).views
    if not file.is_file():
        reason = f"There are no training views of {name} yet; `python -m deit_core predict {run.id}` makes them."
        return TaughtViews(name, run, None, reason, is_missing=True)
    try:
        return TaughtViews(name, run, read_views(file))
    except RunError as error:
        return TaughtViews(name, run, None, str(error))
