"""A small app with three tables of pictures, served to a browser; it knows nothing of the dashboard's pages."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

# A table whose patches can be picked, one whose panels can, and one to look at; each in a fragment that says what it
# heard and how often the page and the fragment have run.
APP = """
import cv2
import numpy as np
import streamlit as st

from dashboard.components.panels import Panel, panels

WORDS = "<b>bold</b> & <img src=x onerror=document.title='hit'>"


def png(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def count(name):
    st.session_state[name] = st.session_state.get(name, 0) + 1
    return st.session_state[name]


def note(pick):
    st.session_state.setdefault("heard", []).append(tuple(pick))


page_runs = count("page")


@st.fragment
def patches():
    seed = st.slider("Seed", 0, 20)
    values = [[seed + (5 * row + column) / 10 for column in range(5)] for row in range(3)]
    heard = st.session_state.get("heard", [])
    mapped = Panel(png(3, 5, seed), "A map of three by five patches", f"seed {seed}", values, outlined=(1, 2))
    picture = Panel(png(28, 28, 1), "The picture itself", grid_size=(7, 7))
    plain = Panel(png(30, 60, 2), "A picture without patches", chosen=True)
    panels(
        [[picture, mapped, None], [plain, Panel(png(3, 5, 3), WORDS, WORDS), None]],
        key="patches",
        columns=["Input", WORDS, "Nothing"],
        row_titles=["Ankle boot", WORDS],
        pick="patch",
        on_pick=note,
    )
    st.text(f"page {page_runs}, fragment {count('fragment')}, heard {heard}")


@st.fragment
def heads():
    chosen = st.session_state.get("head", (1, 1))

    def choose(pick):
        assert pick.patch is None
        st.session_state["head"] = pick.row, pick.column

    def head(i, j):
        return Panel(png(4, 4, i + j), f"Layer {i + 1}, head {j + 1}", [[1.0] * 4] * 4, chosen=(i, j) == chosen)

    num_layers = 2 if st.toggle("Shallow") else 3
    num_heads = 4 if chosen == (0, 11) else 12
    rows = [[head(i, j) for j in range(num_heads)] for i in range(num_layers)]
    panels(rows, key="heads", pick="panel", on_pick=choose, min_width=44, smooth=True)
    st.text(f"head {chosen}")


patches()
heads()
signed = Panel(png(2, 2, 9), "A signed map", values=[[-0.4321, 0.0], [12.34, 0.0321]])
panels([[signed]], key="signed", max_width=100)
"""


@pytest.fixture(scope="module")
def app_url(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    script = tmp_path_factory.mktemp("app") / "app.py"
    script.write_text(APP, encoding="utf-8")
    return serve_app(script)


@pytest.fixture
def table(page: Page, app_url: str) -> Locator:
    """The table whose patches can be picked, once the whole page stands."""
    page.goto(app_url)
    expect(page.get_by_role("application", name="A signed map")).to_be_visible()
    table = page.get_by_role("table").first
    expect(table).to_be_visible()
    return table


@pytest.fixture
def mapped(table: Locator) -> Locator:
    return table.get_by_role("application", name="A map of three by five patches")
