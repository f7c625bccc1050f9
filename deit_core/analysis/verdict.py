"""A verdict on two models: who is ahead, whether that is chance, what is odd, and what to try next.

Knows numbers and names; nothing of runs, files or pages.

    N images
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.class_changes import ClassChange, change_words, class_changes
from deit_core.analysis.lead import ClosedShare, share_words
from deit_core.analysis.mistakes import RareClass, largest_class, missed, rare_classes
from deit_core.analysis.paired import Paired, paired
from deit_core.analysis.seeds import Sample
from deit_core.text.quoting import quoted
from deit_core.wording import counted, p_value

_SHRUNK = 2  # times smaller than they were, and more: images that may have lost what tells classes apart
_NEARLY_ALL_RIGHT = 0.95  # of the images: then nothing that matters was lost
_CLOSE = 0.9  # of the lead


@dataclass(frozen=True)
class Background:
    """What is known of two models besides their decisions.

    part: of the data, whose images they are judged by.
    gains: of the second over the first, in accuracy, one value for each seed; None for runs of one seed.
    closed: the share of the teacher's lead that the second has closed; None where it has no teacher.
    teacher_accuracy: None where it is not known.
    img_size, native_size: the side of the images in pixels, as the models see them and as they were, of a folder the
        median; 0 if not known.
    """

    part: Literal["test", "validation"] = "test"
    gains: Sample | None = None
    closed: ClosedShare | None = None
    teacher_accuracy: float | None = None
    img_size: int = 0
    native_size: int = 0


@dataclass(frozen=True)
class Verdict:
    """Numbers on two models, and the sentences that say them.

    names: of the first and the second.
    paired: on which images each is right.
    difference: the accuracy of the second less that of the first, over the seeds where there are three or more.
    interval: of this difference, 95%: Student's over seeds, else the bootstrap's over images.
    leader: the name of the better one; empty where no difference can be told.
    rare: the classes that each hardly ever or never decides for.
    largest: the most frequent class, and the accuracy of always deciding for it.
    changes: class by class, the largest gain of the second first.
    """

    names: tuple[str, str]
    paired: Paired
    difference: float
    interval: tuple[float, float]
    leader: str
    rare: tuple[tuple[RareClass, ...], tuple[RareClass, ...]]
    largest: tuple[str, float]
    changes: tuple[ClassChange, ...]
    background: Background
    classes: tuple[str, ...]

    @property
    def num_seeds(self) -> int:
        """The number of seeds that the difference is over; 0 where it is over images, of one training of each."""
        gains = self.background.gains
        return len(gains.values) if gains is not None and gains.interval is not None else 0

    @property
    def sentences(self) -> list[str]:
        """Who is ahead, and what that is to be compared with."""
        closed = self.background.closed
        teacher = self.background.teacher_accuracy
        said = [self._who_is_ahead(), self._beside_the_largest_class()]
        if closed and self.leader:  # else the share is that of a difference that may be chance
            said.append(f"Share of its teacher's lead that {self.names[1]} has closed: {share_words(closed)}.")
        if teacher is not None:
            said.append(f"The teacher is right on {teacher:.1%}.")
        return said

    @property
    def class_sentences(self) -> list[str]:
        """In which classes the two differ, and what of it can be chance."""
        return change_words(self.changes, self.names, self.classes)

    @property
    def warnings(self) -> list[str]:
        """What makes these numbers say less than they seem to."""
        found = [
            f"{name} {missed(rare, self.classes)}." for name, rare in zip(self.names, self.rare, strict=True) if rare
        ]
        if max(self.paired.accuracies) <= self.largest[1]:
            found.append(f"Neither is better than always answering {quoted(self.largest[0])}.")
        return found

    @property
    def next_steps(self) -> list[str]:
        """What to try."""
        return list(self._next_steps())

    def _who_is_ahead(self) -> str:
        where = f"over {self.num_seeds} seeds" if self.num_seeds else self._on_images()
        points = f"{100 * abs(self.difference):.1f} points"
        sign = -1 if self.difference < 0 else 1  # of what is said, which is how much the higher one has more
        low, high = sorted(100 * sign * end for end in self.interval)
        interval = f"95% interval {low:+.1f} to {high:+.1f}"
        first, second = self.names
        higher, lower = (first, second) if self.difference < 0 else (second, first)
        if self.leader:
            chance = "" if self.num_seeds else f"; McNemar's exact test: {p_value(self.paired.p_value)}"
            return f"{higher} is ahead of {lower} by {points} {where} ({interval}{chance})."
        if self.difference == 0:
            return f"There is no clear difference {where}: {first} and {second} are right equally often."
        needed = (
            "" if self.num_seeds else f", and it takes about {_rounded(self.paired.images_needed):,} images to tell"
        )
        return f"There is no clear difference {where}: {higher} has {points} more ({interval}){needed}."

    def _on_images(self) -> str:
        return f"on {counted(self.paired.num_images, f'{self.background.part} image')}"

    def _beside_the_largest_class(self) -> str:
        (first, second), (one, other) = self.names, self.paired.accuracies
        return (
            f"{first} is right on {one:.1%} and {second} on {other:.1%} of these images; always answering "
            f"{quoted(self.largest[0])} would be right on {self.largest[1]:.1%}."
        )

    def _next_steps(self) -> Iterator[str]:
        size, native = self.background.img_size, self.background.native_size
        if size and native > _SHRUNK * size and max(self.paired.accuracies) < _NEARLY_ALL_RIGHT:
            yield (
                f"The images have {native} px and the models see them at {size} px: try a larger data.img_size, such "
                f"as {2 * size}."
            )
        elif any(self.rare):
            yield "Train longer, or look at images of the classes that are missed: do their labels fit?"
        if not self.num_seeds:
            yield (
                "Train each with three seeds (Number of seeds on Train): one training of each says which of these two "
                "models is better, not whether another training would give the same result."
            )
        elif not self.leader:
            yield "Train with more seeds, or judge by more images."
        closed = self.background.closed
        if closed is not None and closed.has_no_lead:
            yield "Train a better teacher: this one has no lead to pass on."
        elif closed is not None and closed.value is not None and closed.value >= _CLOSE:
            yield "Train a better teacher: the student has closed nearly all of this one's lead."


def judge(
    labels: NDArray[np.int64],
    classes: Sequence[str],
    decisions: dict[str, NDArray[np.int64]],
    background: Background | None = None,
) -> Verdict:
    """Judge two models by the same images. Over three seeds or more Student's interval of the paired differences
    decides, else McNemar's exact test.

    Args:
        labels: (N,) the true classes.
        classes: names, in the order of the logits.
        decisions: (N,) of each of the two, by its name.
    """
    background = background or Background()
    (first, firsts), (second, seconds) = decisions.items()
    on_images = paired(firsts == labels, seconds == labels)
    gains = background.gains
    if gains is not None and gains.interval is not None:
        difference, interval = gains.mean, gains.interval
        is_told = interval[0] > 0 or interval[1] < 0
    else:
        difference, interval, is_told = on_images.difference, on_images.interval(), on_images.can_tell
    label, share = largest_class(labels)
    return Verdict(
        names=(first, second),
        paired=on_images,
        difference=difference,
        interval=interval,
        leader="" if not is_told else second if difference > 0 else first,
        rare=(
            tuple(rare_classes(labels, firsts, len(classes))),
            tuple(rare_classes(labels, seconds, len(classes))),
        ),
        largest=(classes[label], share),
        changes=tuple(class_changes(labels, firsts, seconds)),
        background=background,
        classes=tuple(classes),
    )


def _rounded(number: int | None) -> int:
    """Upwards, to two digits: more would promise too much."""
    assert number is not None, "there is a difference"
    step = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // step) * step
