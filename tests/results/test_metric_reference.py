"""The reference of metrics is what the table says now."""

from pathlib import Path

from deit_core.results.metric_reference import metric_reference

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == metric_reference(), "python -m deit_core.results.metric_reference > docs/metrics.md"
