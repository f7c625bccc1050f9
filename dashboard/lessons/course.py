"""The lessons as data: their texts are TOML files in `texts`, one for each lesson. Knows no widgets, no runs."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, Field

_TEXTS = Path(__file__).parent / "texts"


class Guess(BaseModel):
    """A question with a few answers, to which the learner commits before the experiment."""

    question: str
    options: tuple[str, ...] = Field(min_length=2)


class Door(BaseModel):
    """A link to another page with its settings; the lesson goes along in a side panel."""

    page: str
    label: str = Field(max_length=40)
    look_for: str
    query: dict[str, str | list[str]] = Field(default_factory=dict)


class Lesson(BaseModel):
    """Texts are Markdown; a word in double square brackets is explained from the glossary.

    presets: what it trains, if anything. training_minutes: on two cores, all presets together.
    """

    title: str
    question: str
    minutes: int
    training_minutes: int = 0
    presets: tuple[str, ...] = ()
    words: str
    guess: Guess
    look_for: str
    meaning: str
    try_next: str
    doors: tuple[Door, ...] = ()
    sources: tuple[str, ...]


@cache
def lessons() -> dict[int, Lesson]:
    """All lessons by their numbers, in their order."""
    files = sorted(_TEXTS.glob("[0-9].toml"))
    return {int(file.stem): Lesson.model_validate(tomllib.loads(file.read_text("utf-8"))) for file in files}


@cache
def terms() -> dict[str, str]:
    """The words that lessons explain, with the meaning that docs/glossary.md gives them."""
    found: dict[str, str] = tomllib.loads((_TEXTS / "terms.toml").read_text("utf-8"))
    return found
