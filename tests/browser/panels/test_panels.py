"""How the table of pictures looks in a real browser, and that its nodes outlive every update."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from pointing import middle

pytestmark = pytest.mark.browser


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


def test_frame_lies_on_the_outlined_patch(mapped: Locator) -> None:
    outline = mapped.locator(".outlined").bounding_box()
    assert outline is not None
    x, y = middle(mapped, (1, 2), (3, 5))
    assert outline["x"] + outline["width"] / 2 == pytest.approx(x, abs=1)
    assert outline["y"] + outline["height"] / 2 == pytest.approx(y, abs=1)


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
