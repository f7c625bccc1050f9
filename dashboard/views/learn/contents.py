"""The list of the lessons: what each asks, how long it takes, and what it needs."""

import streamlit as st

from dashboard.address import LESSON
from dashboard.lessons.course import Lesson, lessons
from dashboard.navigation import page

_CLASS = (1, 2, 3, 6, 7)  # the lessons of one class


def draw() -> None:
    minutes = {number: lesson.minutes for number, lesson in lessons().items()}
    together, of_class = sum(minutes.values()), sum(minutes[number] for number in _CLASS)
    *first, last = map(str, _CLASS)
    st.markdown(
        "Eight lessons on Vision Transformers and distillation. In each you guess first; then models answer, your own "
        f"or those that come with DeiT Lab. All work without a download and take {together} minutes together; lessons "
        f"{', '.join(first)} and {last} alone are a class of {of_class} minutes. Lessons that train show the last "
        "measured numbers until yours are there. New to ViT and DeiT? Begin with the text below the lessons."
    )
    with st.grid(2, border=True, min_column_width=300):
        for number, lesson in lessons().items():
            with st.container(gap="xsmall"):
                _card(number, lesson)


def _card(number: int, lesson: Lesson) -> None:
    st.page_link(
        page("learn"), label=f"{number}. {lesson.title}", icon=":material/school:", query_params={LESSON: str(number)}
    )
    st.markdown(lesson.question)
    st.caption(needs(lesson))


def needs(lesson: Lesson) -> str:
    """How long it takes and what it trains, in a sentence."""
    if not lesson.training_minutes:
        return f"{lesson.minutes} minutes. Needs no training."
    trained = "a minute" if lesson.training_minutes == 1 else f"about {lesson.training_minutes} minutes"
    return f"{lesson.minutes} minutes. Trains for {trained} on two cores, while you read."
