"""The logits that the lab looks at: the teacher's, a student's, and the true class. Knows widgets; no losses."""

import math
from dataclasses import dataclass
from typing import Any

import streamlit as st

from deit_core.errors import DeitError
from deit_core.text.quoting import shortened

MIN_CLASSES, MAX_CLASSES, MAX_SIZE = 2, 12, 1000
_TEACHER, _STUDENT = "30, 5, 2, 2", "4, 1, 3, 0"


@dataclass(frozen=True)
class Answers:
    """Logits (K,) of a teacher and a student for one image, its true class, and the names of the classes."""

    teacher: list[float]
    student: list[float]
    label: int
    classes: list[str]

    @property
    def shown(self) -> list[int]:
        """The classes that charts and tables have room for: the true one and those that the teacher finds likeliest."""
        likely = sorted(range(len(self.classes)), key=lambda number: (number != self.label, -self.teacher[number]))
        return sorted(likely[:MAX_CLASSES])


def typed() -> Answers:
    """Fields to type logits into. Raises: DeitError where what stands in them cannot be used."""
    first, second, third = st.columns([3, 3, 2])
    teacher_text = first.text_input("Teacher's logits", _TEACHER, key="lab_teacher", **_field())
    student_text = second.text_input("Student's logits", _STUDENT, key="lab_student", **_field())
    teacher, student = read_logits(teacher_text), read_logits(student_text)
    if len(teacher) != len(student):
        raise DeitError(
            f"The teacher has {len(teacher)} logits and the student {len(student)}; type as many for both, one for "
            "each class."
        )
    classes = [f"class {number + 1}" for number in range(len(teacher))]
    label = third.selectbox("True class", range(len(classes)), format_func=classes.__getitem__, key="lab_label")
    return Answers(teacher, student, label, classes)


def read_logits(text: str) -> list[float]:
    """The numbers of a text like "30, 5, 2, 2".

    Raises: DeitError for what is no number, for too few or too many, and for numbers out of bounds.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    if not MIN_CLASSES <= len(words) <= MAX_CLASSES:
        raise DeitError(f"Type {MIN_CLASSES} to {MAX_CLASSES} logits with commas between them, such as {_TEACHER}.")
    return [_number(word) for word in words]


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        raise DeitError(f"{shortened(word)} is not a number; type logits such as {_TEACHER}.") from None
    if not math.isfinite(number) or abs(number) > MAX_SIZE:
        raise DeitError(f"{shortened(word)} is too large; a logit here is between -{MAX_SIZE} and {MAX_SIZE}.")
    return number


def _field() -> dict[str, Any]:
    return {
        "bind": "query-params",
        "max_chars": 200,
        "help": "One number for each class, with commas between them; a decimal point, not a comma.",
    }
