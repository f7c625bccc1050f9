"""A page of the dashboard in Chromium: opens it, waits until it has come to rest, and takes its picture.

Knows Streamlit's own marks of a page that is still being drawn; not what any page of ours shows.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page

Theme = Literal["light", "dark"]

_PATIENCE_S = 180
_REST_S = 2.0
_MAX_HEIGHT = 6000
# What is drawn by the server and the browser; the same text twice means that nothing moves between.
_STATE = """
() => {
  const app = document.querySelector('[data-testid="stApp"]');
  const isDrawn = app?.getAttribute("data-test-script-state") === "notRunning"
    && !document.querySelector('[data-testid="stSkeleton"], [data-stale="true"]')
    && [...document.images].every(image => image.complete)
    && [...document.querySelectorAll('[role="figure"]')].every(chart => chart.querySelector(".main-svg"));
  const main = document.querySelector('[data-testid="stMain"]');
  return isDrawn && main ? `${main.scrollHeight} ${main.innerText.length} ${main.querySelectorAll("*").length}` : "";
}
"""
_HEIGHT = """
() => {
  const main = document.querySelector('[data-testid="stMain"]');
  return Math.ceil(window.innerHeight - main.clientHeight + main.scrollHeight);
}
"""


@contextmanager
def opened(chromium: Browser, *, width: int, height: int, theme: Theme) -> Iterator[Page]:
    """A page in a browser without history, which prefers this theme."""
    with chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
    ) as context:
        page = context.new_page()
        page.set_default_timeout(1000 * _PATIENCE_S)
        yield page


def rest(page: Page) -> None:
    """Wait until nothing has changed for a while. Raises: TimeoutError where that never happens."""
    began = since = time.monotonic()
    seen = ""
    while time.monotonic() - since < _REST_S or not seen:
        if time.monotonic() - began > _PATIENCE_S:
            raise TimeoutError(f"The page {page.url} was still being drawn after {_PATIENCE_S} s.")
        page.wait_for_timeout(100)
        if (now := page.evaluate(_STATE)) != seen:
            seen, since = now, time.monotonic()


def whole(page: Page) -> Image.Image:
    """All of the page, also what one must scroll to."""
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": size["width"], "height": min(_MAX_HEIGHT, page.evaluate(_HEIGHT))})
    rest(page)
    image = shown(page)
    page.set_viewport_size(size)
    return image


def shown(page: Page) -> Image.Image:
    """What is on the screen."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")
