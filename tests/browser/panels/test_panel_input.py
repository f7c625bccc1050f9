"""What mouse and keys read and pick in the table of pictures, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from pointing import expect_heard, middle, tip_of

pytestmark = pytest.mark.browser


def test_tip_tells_the_value_under_the_mouse(page: Page, mapped: Locator) -> None:
    page.mouse.move(*middle(mapped, (2, 4), (3, 5)))
    expect(tip_of(page)).to_have_text("row 3, column 5: 1.4 × uniform")
    page.mouse.move(*middle(mapped, (0, 3), (3, 5)))
    expect(tip_of(page)).to_have_text("row 1, column 4: 0.3 × uniform")
    page.mouse.move(0, 0)
    expect(tip_of(page)).to_have_count(0)


def test_tip_follows_the_data_under_a_resting_mouse(page: Page, mapped: Locator) -> None:
    slider = page.get_by_role("slider")
    slider.focus()
    page.mouse.move(*middle(mapped, (0, 3), (3, 5)))
    page.keyboard.press("ArrowRight")
    expect(tip_of(page)).to_have_text("row 1, column 4: 1.3 × uniform")


@pytest.mark.parametrize(
    ("patch", "words"),
    [((0, 0), "−0.43"), ((0, 1), "0"), ((1, 0), "12"), ((1, 1), "0.032")],
)
def test_tip_without_picks(page: Page, table: Locator, patch: tuple[int, int], words: str) -> None:
    signed = page.get_by_role("application", name="A signed map")
    signed.scroll_into_view_if_needed()
    page.mouse.move(*middle(signed, patch, (2, 2)))
    expect(tip_of(page)).to_have_text(f"row {patch[0] + 1}, column {patch[1] + 1}: {words} × uniform")
    page.mouse.down()
    page.mouse.up()
    expect_heard(page, 1, 1, [])


def test_tip_stays_at_its_patch_while_the_page_scrolls(
    page: Page, mapped: Locator, wait_until: Callable[..., None]
) -> None:
    page.set_viewport_size({"width": 800, "height": 400})
    page.get_by_role("slider").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")

    def is_at_its_patch() -> bool:
        tip, cursor = (locator.bounding_box() for locator in (tip_of(page), mapped.locator(".cursor")))
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


def test_click_picks_the_patch_and_runs_the_fragment_alone(page: Page, mapped: Locator, page_errors: list[str]) -> None:
    page.mouse.click(*middle(mapped, (2, 3), (3, 5)))
    expect_heard(page, 1, 2, [(0, 1, (2, 3))])
    page.get_by_role("slider").press("ArrowRight")
    expect_heard(page, 1, 3, [(0, 1, (2, 3))])
    assert page_errors == []


def test_the_same_patch_can_be_picked_again(page: Page, table: Locator) -> None:
    picture = page.get_by_role("application", name="The picture itself")
    place = middle(picture, (6, 0), (7, 7))
    page.mouse.click(*place)
    expect_heard(page, 1, 2, [(0, 0, (6, 0))])
    page.mouse.click(*place)
    expect_heard(page, 1, 3, [(0, 0, (6, 0))] * 2)


def test_click_of_a_screen_reader_picks_at_the_cursor(page: Page, mapped: Locator) -> None:
    mapped.dispatch_event("click")
    expect_heard(page, 1, 2, [(0, 1, (1, 2))])


def test_pictures_without_patches_pick_nothing(page: Page, table: Locator) -> None:
    plain = page.get_by_role("img", name="A picture without patches")
    plain.click()
    expect(plain).not_to_have_attribute("tabindex", re.compile(""))
    expect(tip_of(page)).to_have_count(0)
    expect_heard(page, 1, 1, [])


def test_keys_move_and_pick(page: Page, mapped: Locator) -> None:
    page.get_by_role("slider").focus()
    page.keyboard.press("Tab")  # to the picture itself
    expect(tip_of(page)).to_have_text("row 4, column 4")
    page.keyboard.press("Tab")
    expect(mapped).to_be_focused()
    expect(tip_of(page)).to_have_text("row 2, column 3: 0.7 × uniform")
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    words = "row 3, column 2: 1.1 × uniform"
    expect(tip_of(page)).to_have_text(words)
    expect(page.get_by_role("status").filter(has_text=words)).to_have_count(1)
    page.keyboard.press("Enter")
    expect_heard(page, 1, 2, [(0, 1, (2, 1))])
    expect(mapped).to_be_focused()
    page.keyboard.press("Escape")
    expect(tip_of(page)).to_have_count(0)


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
