"""One lesson: the question, the guess, the experiment, the answer from the learner's own numbers, what to try next."""

import streamlit as st

from dashboard.address import LESSON
from dashboard.lessons.course import Lesson, lessons
from dashboard.lessons.evidence import Answer
from dashboard.lessons.panel import back
from dashboard.lessons.words import words
from dashboard.navigation import page
from dashboard.views.learn import contents
from dashboard.views.learn.exhibits.every_exhibit import EXHIBITS
from dashboard.views.learn.training import training


def draw(number: int) -> None:
    lesson, exhibit = lessons()[number], EXHIBITS[number]
    st.title(f"{number}. {lesson.title}")
    st.markdown(f"**{lesson.question}**")
    st.caption(contents.needs(lesson))
    words(lesson.words)
    for preset in lesson.presets:
        training(preset)
    guess = _guess(lesson)
    if guess is not None:
        st.header("Look")
        words(lesson.look_for)
        answer = exhibit()
        st.header("Answer")
        _reveal(lesson, guess, answer)
        _try_next(number, lesson)
    _go_on(number, lesson)


def _guess(lesson: Lesson) -> int | None:
    """The option that the learner committed to, which is then in the address. Without one nothing is shown yet."""
    st.header("Your guess")
    made = st.query_params.get("guess", "")
    committed = int(made) if made in map(str, range(len(lesson.guess.options))) else None
    if committed is not None:
        st.markdown(f"{lesson.guess.question} **{lesson.guess.options[committed]}**")
        return committed
    chosen = st.radio(
        lesson.guess.question,
        range(len(lesson.guess.options)),
        index=None,
        format_func=lesson.guess.options.__getitem__,
        key=f"learn_guess_{lesson.title}",
    )
    if st.button("This is my guess", type="primary", disabled=chosen is None, key="learn_commit"):
        st.query_params["guess"] = str(chosen)
        st.rerun()
    st.caption("The figures and the answer come after your guess.")
    return None


def _reveal(lesson: Lesson, guess: int, answer: Answer | None) -> None:
    if answer is None:
        st.info("There are no numbers yet. Train above and come back: your guess stays in the address.")
        return
    if answer.right is None:
        st.markdown(answer.sentence)
    elif answer.right == guess:
        st.success(f"Your guess fits the numbers. {answer.sentence}")
    else:
        st.info(
            f"Your guess does not fit the numbers, which say: {lesson.guess.options[answer.right]}. {answer.sentence}"
        )
    st.caption(answer.source)
    words(lesson.meaning)


def _try_next(number: int, lesson: Lesson) -> None:
    st.header("Try next")
    st.markdown(lesson.try_next)
    with st.container(horizontal=True):
        for door in lesson.doors:
            st.page_link(page(door.page), label=door.label, query_params={**back(number), **door.query})


def _go_on(number: int, lesson: Lesson) -> None:
    with st.container(horizontal=True):
        st.page_link(page("learn"), label="All lessons", icon=":material/school:", query_params={})
        if number < max(lessons()):
            following = lessons()[number + 1]
            st.page_link(
                page("learn"),
                label=f"Next: {number + 1}. {following.title}",
                icon=":material/arrow_forward:",
                query_params={LESSON: str(number + 1)},
            )
    st.caption("Sources: " + ". ".join(lesson.sources) + ".")
