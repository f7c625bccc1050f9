"""The Learn page: what it explains, and the way on."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest


def test_it_explains_names_its_sources_and_shows_the_way(run_page: Callable[..., AppTest]) -> None:
    page = run_page("learn")
    assert not page.exception
    assert len(page.latex) == 3
    for paper in ("2010.11929", "2012.12877", "1503.02531", "2005.00928"):
        assert paper in page.caption[-1].value
    assert [link.page.strip("/") or "train" for link in page.get("page_link")] == [
        "data",
        "train",
        "runs",
        "compare",
        "attention",
    ]
    assert all(len(link.label) <= 36 for link in page.get("page_link")), "what a phone shows of it"
