"""Matrices in a real browser: the keyboard reaches every cell, and their numbers are readable in light and dark."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from dashboard.components.live_chart import ensure_plotly_js

pytestmark = pytest.mark.browser

APP = """
import numpy as np

from dashboard.components.live_chart import live_chart
from deit_core.results.answer_charts import matrix

for signed in (False, True):
    shares = np.array([[0.9, 0.1, np.nan], [0.4, 0.6, 0.0], [-0.9 if signed else 0.2, 0.3, 0.5]])
    figure = matrix(
        shares,
        ["a & b", "dog", "owl"],
        across="answer",
        down="true class",
        numbers=lambda share: f"{100 * share:.0f}",
        words=lambda row, column: f"Row {row} < column {column}.",
        signed=signed,
    )
    live_chart(figure, key=f"matrix_{signed}", title=f"Matrix {signed}", alt=f"Of a & b, 90% are right, {signed}.")
"""

CONTRASTS = """node => {
  const brightness = (colour) => {
    const parts = colour.startsWith("#")
      ? colour.match(/[\\da-f]{2}/gi).map((part) => parseInt(part, 16))
      : colour.match(/[\\d.]+/g).map(Number);
    const [red, green, blue] = parts.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const text = getComputedStyle(node.querySelector(".heatmap-label text")).fill;
  return node._fullData[0].colorscale.map(([, colour]) => {
    const [dark, light] = [text, colour].map(brightness).sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  });
}"""


@pytest.fixture(scope="module")
def app_url(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("matrices")
    script = folder / "app.py"
    script.write_text(APP, encoding="utf-8")
    ensure_plotly_js(folder / "static")
    return serve_app(script, cwd=folder)


def test_arrow_keys_reach_and_say_every_cell(page: Page, app_url: str, page_errors: list[str]) -> None:
    page.goto(app_url)
    matrix = page.get_by_role("application", name="Of a & b, 90% are right, False. Arrow keys go from cell to cell.")
    expect(matrix.locator(".heatmap-label").first).to_be_visible()
    said = page.get_by_role("status").filter(has_text="Row")
    matrix.focus()
    for number, key in enumerate(["ArrowDown", *["ArrowRight"] * 2, "ArrowDown", *["ArrowLeft"] * 2, "ArrowDown"]):
        page.keyboard.press(key)
        place = [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0), (2, 0)][number]
        expect(said).to_have_text("Row {} < column {}.".format(*place))
    page.keyboard.press("ArrowDown")
    expect(said).to_have_text("Row 2 < column 0.")
    expect(matrix.locator(".hoverlayer")).to_contain_text("Row 2 < column 0.")
    page.keyboard.press("Escape")
    expect(said).to_have_count(0)
    assert page_errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_are_readable_in_either_theme(page: Page, app_url: str, scheme: str) -> None:
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.goto(app_url)
    for signed, colours in ((False, 2), (True, 3)):
        matrix = page.get_by_role("application", name=f"90% are right, {signed}.")
        expect(matrix.locator(".heatmap-label").first).to_be_visible()
        contrasts = matrix.evaluate(CONTRASTS)
        assert len(contrasts) == colours
        assert min(contrasts) >= 4.5
