"""A lesson that goes along to another page: what to look for there, in the sidebar, and the way back."""

import streamlit as st

from dashboard.address import LESSON
from dashboard.lessons.course import lessons
from dashboard.lessons.words import style, words
from dashboard.navigation import page


def draw(url_path: str) -> None:
    """Draw the panel where the address names a lesson that leads to this page, and nothing elsewhere."""
    number = asked()
    if number is None or url_path == "learn":
        return
    lesson = lessons()[number]
    with st.sidebar:
        style()
        st.markdown(f"**Lesson {number}: {lesson.title}**")
        st.caption(lesson.question)
        for door in lesson.doors:
            if door.page == url_path:
                words(door.look_for)
        st.page_link(page("learn"), label="Back to the lesson", icon=":material/school:", query_params=back(number))


def asked() -> int | None:
    """The lesson that the address names, if there is such a one."""
    text = st.query_params.get(LESSON, "")
    return int(text) if text in map(str, lessons()) else None


def back(number: int) -> dict[str, str]:
    """What the address of a lesson says: its number, and the guess where one was made."""
    guess = st.query_params.get("guess")
    return {LESSON: str(number)} | ({"guess": guess} if guess else {})
