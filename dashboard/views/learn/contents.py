"""The list of the lessons: what each asks, how long it takes, and what it needs."""

import streamlit as st

from dashboard.address import LESSON
from dashboard.lessons.course import Lesson, lessons
from dashboard.navigation import page


def draw() -> None:
    minutes = sum(lesson.minutes for lesson in lessons().values())
    st.markdown(
        "Eight lessons on Vision Transformers and distillation. In each you guess first, then see what your own models "
        f"say. All work without a download; they take {minutes} minutes, and 1, 2, 3 and 7 alone make a class of an "
        "hour. Lessons that train show the last measured numbers until yours are there."
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
