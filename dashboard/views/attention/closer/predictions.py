"""A closer look at the answer: the likeliest classes by every head of every model, side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.pictures import images
from dashboard.pictures.images import Map, Picture
from dashboard.text import escape
from dashboard.views.attention.maps import Column
from deit_core.errors import DeitError

_HEADS = {"mean": "output", "class": "class head", "distillation": "distillation head"}
_PER_ROW = 5
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class _Answer:
    """What one head of a model says: the probabilities of its classes; for the output, how good its weights are."""

    title: str
    chances: Map
    classes: Sequence[str]
    weights: str


def draw(picture: Picture, columns: Sequence[Column]) -> None:
    answers = [answer for column in _models(columns) for answer in _answers(picture, column)]
    if any(picture.truth is not None and picture.truth not in answer.classes for answer in answers):
        st.info("A model that was trained on another data set does not know the class of this picture.")
    for start in range(0, len(answers), _PER_ROW):
        for place, answer in zip(st.columns(_PER_ROW, gap="medium"), answers[start : start + _PER_ROW], strict=False):
            with place:
                _draw_answer(answer, picture.truth)


def _models(columns: Sequence[Column]) -> list[Column]:
    """One column of each model."""
    return list({column.model: column for column in columns}.values())


def _answers(picture: Picture, column: Column) -> Iterator[_Answer]:
    checkpoint = column.choice.checkpoint
    try:
        card = images.viewer(checkpoint).card
        if column.is_teacher:
            by_head = {"mean": images.predict(checkpoint, picture)}
        else:
            by_head = images.subject(checkpoint, picture).look.probabilities()
    except DeitError:  # the table says why
        return
    accuracy = card.metrics.get("val_accuracy")
    weights = f"Epoch {card.epoch}" + ("" if accuracy is None else f", {accuracy:.1%} right on validation")
    for head, chances in by_head.items():
        title = column.model if len(by_head) == 1 else f"{column.model}, {_HEADS[head]}"
        yield _Answer(title, chances, card.classes, weights if head == "mean" else "")


def _draw_answer(answer: _Answer, truth: str | None) -> None:
    order = answer.chances.argsort()[::-1][:_SHOWN]
    likeliest = answer.classes[order[0]]
    verdict = ""
    if truth in answer.classes:
        verdict = ", right" if likeliest == truth else f", but it is {truth}"
    st.markdown(f"**{escape(answer.title)}**  \n{escape(likeliest + verdict)}")
    for index in order:
        st.progress(float(answer.chances[index]), escape(f"{answer.classes[index]}, {answer.chances[index]:.1%}"))
    if answer.weights:
        st.caption(answer.weights)
