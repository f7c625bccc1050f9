"""What a teacher passed on, in sentences: how often two students agree with it, and how often they repeat its mistakes.

Knows labels and decisions; nothing of models or files.

    N images
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deit_core.analysis.disagreement import more_inherited
from deit_core.analysis.paired import Paired, paired
from deit_core.wording import counted, p_value

Labels = NDArray[np.int64]  # (N,) classes, true or decided


@dataclass(frozen=True)
class PassedOn:
    """Two students beside a teacher.

    teacher, students: names.
    agreement: on all images; to decide as the teacher does counts as right here.
    mistakes: the same on the images that the teacher gets wrong; None where there is none.
    """

    teacher: str
    students: tuple[str, str]
    agreement: Paired
    mistakes: Paired | None

    @property
    def sentences(self) -> list[str]:
        """Two numbers with what chance makes of them, and what follows."""
        (first, second), (one, other) = self.students, self.agreement.accuracies
        said = [
            f"{second} decides as {self.teacher} does on {other:.1%} of the images and {first} on {one:.1%}: "
            f"{_apart(self.agreement)}. Most of this comes from right answers: two models that are right also agree."
        ]
        if self.mistakes is None:
            return [*said, f"{self.teacher} makes no mistake on these images, so there is none to repeat."]
        one, other = self.mistakes.accuracies
        return [
            *said,
            f"Of the {counted(self.mistakes.num_images, 'image')} that {self.teacher} gets wrong, {second} makes the "
            f"same mistake on {other:.0%} and {first} on {one:.0%}: {_apart(self.mistakes)}.",
            self._conclusion(self.mistakes),
        ]

    def _conclusion(self, mistakes: Paired) -> str:
        first, second = self.students
        if not mistakes.can_tell:
            return (
                f"So these images do not show that either student takes over more of the mistakes of {self.teacher} "
                "than it would make without this teacher."
            )
        more, less = (second, first) if mistakes.difference > 0 else (first, second)
        return f"So {more} has taken over mistakes too: it shares more of them with {self.teacher} than {less} does."


def passed_on(labels: Labels, teacher: tuple[str, Labels], students: dict[str, Labels]) -> PassedOn:
    """Args: teacher: its name and decisions. students: decisions of the two by their names."""
    (first, firsts), (second, seconds) = students.items()
    name, own = teacher
    return PassedOn(
        teacher=name,
        students=(first, second),
        agreement=paired(firsts == own, seconds == own),
        mistakes=more_inherited(labels, own, firsts, seconds),
    )


def _apart(found: Paired) -> str:
    """How far apart both shares are, and whether chance explains it."""
    if found.difference == 0:
        return "no difference"
    sign = -1 if found.difference < 0 else 1
    low, high = sorted(100 * sign * end + 0.0 for end in found.interval())  # + 0.0: no minus before zero
    chance = "hardly chance" if found.can_tell else "which can be chance"
    test = f"95% interval {low:+.1f} to {high:+.1f}; McNemar's exact test: {p_value(found.p_value)}"
    return f"{100 * abs(found.difference):.1f} points apart ({test}), {chance}"
