"""The Learn page: the list of lessons, and the three models explained with their sources."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from dashboard.lessons.course import lessons


def test_it_lists_the_lessons_with_their_minutes_and_explains_the_models(run_page: Callable[..., AppTest]) -> None:
    page = run_page("learn")
    assert not page.exception
    links = [link.label for link in page.get("page_link")]
    assert links == [f"{number}. {lesson.title}" for number, lesson in lessons().items()]
    assert sum("minutes" in caption.value for caption in page.caption) == len(lessons())
    assert len(page.latex) == 3
    for paper in ("2010.11929", "2012.12877", "1503.02531", "2005.00928"):
        assert paper in page.caption[-1].value
