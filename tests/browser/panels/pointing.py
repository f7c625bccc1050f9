"""Where a patch is on the page, and what the app says of it and hears."""

from playwright.sync_api import Locator, Page, expect


def middle(panel: Locator, patch: tuple[int, int], grid: tuple[int, int]) -> tuple[float, float]:
    """The middle of a patch on the page."""
    box = panel.bounding_box()
    assert box is not None
    row, column = ((index + 0.5) / count for index, count in zip(patch, grid, strict=True))
    return box["x"] + column * box["width"], box["y"] + row * box["height"]


def expect_heard(page: Page, page_runs: int, fragment_runs: int, picks: list[object]) -> None:
    expect(page.get_by_text(f"page {page_runs}, fragment {fragment_runs}, heard {picks}")).to_be_visible()


def tip_of(page: Page) -> Locator:
    return page.locator(".tip:popover-open")
