"""The table of pictures in a real browser: what is read and picked there, and that its nodes outlive every update.

Looks at a small app of its own, so it knows nothing of the dashboard's pages.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

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


def _place(panel: Locator, patch: tuple[int, int], grid: tuple[int, int]) -> tuple[float, float]:
    """The middle of a patch on the page."""
    box = panel.bounding_box()
    assert box is not None
    row, column = ((index + 0.5) / count for index, count in zip(patch, grid, strict=True))
    return box["x"] + column * box["width"], box["y"] + row * box["height"]


def _heard(page: Page, page_runs: int, fragment_runs: int, heard: list[object]) -> None:
    expect(page.get_by_text(f"page {page_runs}, fragment {fragment_runs}, heard {heard}")).to_be_visible()


def _tip(page: Page) -> Locator:
    return page.locator(".tip:popover-open")


def test_pictures_show_at_their_own_proportions(table: Locator, page_errors: list[str]) -> None:
    for name, proportion in (("A picture without patches", 2), ("A map of three by five patches", 5 / 3)):
        image = table.get_by_label(name).locator("img")
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
        box = image.bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(proportion, rel=0.02)
    expect(table.get_by_role("img", name="A picture without patches")).to_be_visible()
    expect(table.get_by_role("columnheader")).to_have_count(3)
    expect(table.get_by_role("rowheader")).to_have_count(2)
    expect(image).to_have_css("image-rendering", "pixelated")
    expect(table.page.get_by_label("Layer 1, head 1", exact=True).locator("img")).to_have_css("image-rendering", "auto")
    assert page_errors == []


def test_columns_share_the_width(table: Locator) -> None:
    frames = table.page.get_by_role("table").nth(1).locator(".frame")
    expect(frames).to_have_count(36)
    assert len({round(box["width"]) for frame in frames.all() if (box := frame.bounding_box())}) == 1


def test_nodes_survive_updates(page: Page, mapped: Locator, page_errors: list[str]) -> None:
    still = page.get_by_label("The picture itself").locator("img")
    mapped.evaluate("node => { node.tagged = node.firstChild.tagged = true }")
    changes = "image => { image.loads = 0; image.addEventListener('load', () => (image.loads += 1)) }"
    still.evaluate(changes)
    mapped.locator("img").evaluate(changes)
    before = mapped.locator("img").get_attribute("src")

    page.get_by_role("slider").press("ArrowRight")
    expect(page.get_by_text("seed 1", exact=True)).to_be_visible()

    assert mapped.locator("img").get_attribute("src") != before
    assert mapped.evaluate("node => node.tagged && node.firstChild.tagged")
    page.wait_for_function("image => image.loads === 1", arg=mapped.locator("img").element_handle())
    assert still.evaluate("image => image.loads") == 0, "a picture that stays the same is left alone"
    assert page_errors == []


def test_tip_tells_the_value_under_the_mouse(page: Page, mapped: Locator) -> None:
    page.mouse.move(*_place(mapped, (2, 4), (3, 5)))
    expect(_tip(page)).to_have_text("row 3, column 5: 1.4 × uniform")
    page.mouse.move(*_place(mapped, (0, 3), (3, 5)))
    expect(_tip(page)).to_have_text("row 1, column 4: 0.3 × uniform")
    page.mouse.move(0, 0)
    expect(_tip(page)).to_have_count(0)


def test_tip_follows_the_data_under_a_resting_mouse(page: Page, mapped: Locator) -> None:
    slider = page.get_by_role("slider")
    slider.focus()
    page.mouse.move(*_place(mapped, (0, 3), (3, 5)))
    page.keyboard.press("ArrowRight")
    expect(_tip(page)).to_have_text("row 1, column 4: 1.3 × uniform")


@pytest.mark.parametrize(
    ("patch", "words"),
    [((0, 0), "−0.43"), ((0, 1), "0"), ((1, 0), "12"), ((1, 1), "0.032")],
)
def test_tip_without_picks(page: Page, table: Locator, patch: tuple[int, int], words: str) -> None:
    signed = page.get_by_role("application", name="A signed map")
    signed.scroll_into_view_if_needed()
    page.mouse.move(*_place(signed, patch, (2, 2)))
    expect(_tip(page)).to_have_text(f"row {patch[0] + 1}, column {patch[1] + 1}: {words} × uniform")
    page.mouse.down()
    page.mouse.up()
    _heard(page, 1, 1, [])


def test_click_picks_the_patch_and_runs_the_fragment_alone(page: Page, mapped: Locator, page_errors: list[str]) -> None:
    page.mouse.click(*_place(mapped, (2, 3), (3, 5)))
    _heard(page, 1, 2, [(0, 1, (2, 3))])
    page.get_by_role("slider").press("ArrowRight")
    _heard(page, 1, 3, [(0, 1, (2, 3))])
    assert page_errors == []


def test_the_same_patch_can_be_picked_again(page: Page, table: Locator) -> None:
    picture = page.get_by_role("application", name="The picture itself")
    place = _place(picture, (6, 0), (7, 7))
    page.mouse.click(*place)
    _heard(page, 1, 2, [(0, 0, (6, 0))])
    page.mouse.click(*place)
    _heard(page, 1, 3, [(0, 0, (6, 0))] * 2)


def test_click_of_a_screen_reader_picks_at_the_cursor(page: Page, mapped: Locator) -> None:
    mapped.dispatch_event("click")
    _heard(page, 1, 2, [(0, 1, (1, 2))])


def test_pictures_without_patches_pick_nothing(page: Page, table: Locator) -> None:
    plain = page.get_by_role("img", name="A picture without patches")
    plain.click()
    expect(plain).not_to_have_attribute("tabindex", re.compile(""))
    expect(_tip(page)).to_have_count(0)
    _heard(page, 1, 1, [])


def test_keys_move_and_pick(page: Page, mapped: Locator) -> None:
    page.get_by_role("slider").focus()
    page.keyboard.press("Tab")  # to the picture itself
    expect(_tip(page)).to_have_text("row 4, column 4")
    page.keyboard.press("Tab")
    expect(mapped).to_be_focused()
    expect(_tip(page)).to_have_text("row 2, column 3: 0.7 × uniform")
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    words = "row 3, column 2: 1.1 × uniform"
    expect(_tip(page)).to_have_text(words)
    expect(page.get_by_role("status").filter(has_text=words)).to_have_count(1)
    page.keyboard.press("Enter")
    _heard(page, 1, 2, [(0, 1, (2, 1))])
    expect(mapped).to_be_focused()
    page.keyboard.press("Escape")
    expect(_tip(page)).to_have_count(0)


def test_frame_lies_on_the_outlined_patch(mapped: Locator) -> None:
    outline = mapped.locator(".outlined").bounding_box()
    assert outline is not None
    x, y = _place(mapped, (1, 2), (3, 5))
    assert outline["x"] + outline["width"] / 2 == pytest.approx(x, abs=1)
    assert outline["y"] + outline["height"] / 2 == pytest.approx(y, abs=1)


def test_panel_is_picked_by_click_and_by_keys(page: Page, table: Locator, page_errors: list[str]) -> None:
    head = page.get_by_role("button", name="Layer 2, head 2", exact=True)
    expect(head).to_have_attribute("aria-current", "true")
    stops = page.get_by_role("table").nth(1).locator("[tabindex='0']")
    expect(stops).to_have_count(1)

    head.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    third = page.get_by_role("button", name="Layer 1, head 3", exact=True)
    expect(third).to_be_focused()
    expect(stops).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_text("head (0, 2)")).to_be_visible()
    expect(third).to_have_attribute("aria-current", "true")
    expect(third).to_be_focused()

    page.get_by_role("button", name="Layer 3, head 12", exact=True).click()
    expect(page.get_by_text("head (2, 11)")).to_be_visible()
    expect(stops).to_have_count(1)
    assert page_errors == []


def test_table_of_another_shape_takes_its_panels_over(page: Page, table: Locator, page_errors: list[str]) -> None:
    panels = page.get_by_role("table").nth(1).get_by_role("button")
    expect(panels).to_have_count(36)
    panels.nth(13).evaluate("node => { node.tagged = true }")
    toggle = page.get_by_text("Shallow", exact=True)
    toggle.click()
    expect(panels).to_have_count(24)
    toggle.click()
    expect(panels).to_have_count(36)
    assert panels.nth(13).evaluate("node => node.tagged")
    panels.nth(30).click()
    expect(page.get_by_text("head (2, 6)")).to_be_visible()
    assert page_errors == []


def test_focus_stays_when_a_pick_changes_the_shape(page: Page, table: Locator) -> None:
    panels = page.get_by_role("table").nth(1).get_by_role("button")
    page.get_by_role("button", name="Layer 1, head 12", exact=True).focus()
    page.keyboard.press("Enter")
    expect(panels).to_have_count(12)
    last = page.get_by_role("button", name="Layer 1, head 4", exact=True)
    expect(last).to_be_focused()
    page.keyboard.press("Enter")
    expect(panels).to_have_count(36)
    expect(last).to_be_focused()


def test_tip_stays_at_its_patch_while_the_page_scrolls(
    page: Page, mapped: Locator, wait_until: Callable[..., None]
) -> None:
    page.set_viewport_size({"width": 800, "height": 400})
    page.get_by_role("slider").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")

    def is_at_its_patch() -> bool:
        tip, cursor = (locator.bounding_box() for locator in (_tip(page), mapped.locator(".cursor")))
        assert tip is not None
        assert cursor is not None
        return abs(cursor["y"] - tip["y"] - tip["height"] - 6) <= 1

    wait_until(is_at_its_patch)
    before = mapped.bounding_box()
    page.mouse.move(700, 300)
    page.mouse.wheel(0, 40)
    page.wait_for_function(
        "([node, top]) => node.getBoundingClientRect().top < top", arg=[mapped.element_handle(), before and before["y"]]
    )
    wait_until(is_at_its_patch)


def test_words_show_literally(page: Page, table: Locator) -> None:
    words = "<b>bold</b> & <img src=x onerror=document.title='hit'>"
    for role in ("columnheader", "rowheader"):
        expect(table.get_by_role(role).nth(1)).to_have_text(words)
    expect(table.locator(".caption", has_text="bold")).to_have_text(words)
    expect(table.get_by_role("img", name=words)).to_be_visible()
    assert page.title() != "hit"


def test_narrow_table_scrolls_by_itself(page: Page, table: Locator) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    box = page.locator(".scroll").nth(1)
    page.wait_for_function("box => box.scrollWidth > box.clientWidth + 100", arg=box.element_handle())
    page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_readable_in_either_theme(
    page: Page, app_url: str, scheme: str, page_errors: list[str], tmp_path: Path
) -> None:
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.goto(app_url)
    caption = page.get_by_text("seed 0", exact=True)
    expect(caption).to_be_visible()
    assert page.screenshot(path=tmp_path / f"{scheme}.png")
    contrast = caption.evaluate(
        """node => {
          const brightness = (colour) => {
            const [red, green, blue] = colour.match(/[\\d.]+/g).map((value) => {
              const part = value / 255;
              return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
          };
          const { color } = getComputedStyle(node);
          const page = getComputedStyle(document.querySelector(".stApp")).backgroundColor;
          const [dark, light] = [brightness(color), brightness(page)].sort((a, b) => a - b);
          return (light + 0.05) / (dark + 0.05);
        }"""
    )
    assert contrast >= 4.5
    assert page_errors == []
