"""The canvas of the Predict page over an untrained model in a real browser: strokes, undo and clear."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Status, enqueue, open_store

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser


def save_model(runs_dir: Path) -> None:
    """What a run leaves behind."""
    spec = presets.get("smoke")
    store = open_store(f"sqlite:///{runs_dir / 'runs.sqlite'}")
    (run_id,) = enqueue(store, spec)
    for status in (Status.RUNNING, Status.COMPLETED):
        store.set_status(run_id, status)
    store.close()
    classes = SOURCES[spec.data.source].classes
    card = ModelCard(spec=spec, classes=classes, in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1)
    save_weights(run_folder(runs_dir, run_id) / "best.safetensors", build_model(spec), card)


def draw(page: Page, canvas: Locator, *places: tuple[float, float]) -> None:
    """A stroke through these places, in shares of the canvas."""
    box = canvas.bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def white_share(canvas: Locator) -> float:
    share: float = canvas.evaluate(
        """node => {
          const { data } = node.getContext("2d").getImageData(0, 0, node.width, node.height);
          return data.filter((value, index) => index % 4 === 3 && value > 127).length / (node.width * node.height);
        }"""
    )
    return share


def test_what_is_drawn_is_answered(
    page: Page, serve_app: Any, wait_until: Callable[..., None], tmp_path: Path, page_errors: list[str]
) -> None:
    save_model(tmp_path)
    url = serve_app(ROOT / "dashboard" / "app.py", env={"DEIT_RUNS_DIR": str(tmp_path)})
    page.goto(f"{url}/predict?predict_picture=Draw")
    empty = page.get_by_role("img", name="Your drawing: empty")
    expect(empty).to_be_visible()
    expect(page.get_by_text("Draw something")).to_be_visible()
    canvas = page.locator("canvas")

    draw(page, canvas, (0.5, 0.15), (0.5, 0.85))
    answer = page.get_by_role("list", name="likeliest is")
    expect(answer).to_be_visible()
    expect(page.get_by_role("img", name="Your drawing: 1 stroke")).to_be_visible()
    assert 0.04 < white_share(canvas) < 0.08
    first = answer.inner_text()
    assert first.count("%") == 5

    draw(page, canvas, (0.1, 0.5), (0.9, 0.5), (0.9, 0.1))
    wait_until(lambda: answer.inner_text() != first)

    undo = page.get_by_role("button", name="Undo")
    undo.focus()
    page.keyboard.press("Enter")
    wait_until(lambda: answer.inner_text() == first)
    expect(undo).to_be_focused()

    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Clear", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(empty).to_be_visible()
    expect(page.get_by_text("Draw something")).to_be_visible()
    assert white_share(canvas) == 0

    draw(page, canvas, (0.3, 0.3))
    expect(answer).to_be_visible()
    page.get_by_text("Test set", exact=True).click()
    expect(page.get_by_role("spinbutton", name="Image")).to_be_visible()
    page.get_by_text("Draw", exact=True).click()
    expect(page.get_by_role("img", name="Your drawing: 1 stroke")).to_be_visible()
    assert page_errors == []
