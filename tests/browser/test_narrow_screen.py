"""Attention over an untrained model, and Learn, on a phone: what only a browser and its server's terminal tell."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import Status, enqueue, open_store

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser

_HEIGHT = 900


def save_model(runs_dir: Path) -> None:
    """What a run leaves behind."""
    spec = presets.get("smoke")
    store = open_store(f"sqlite:///{runs_dir / 'runs.sqlite'}")
    (run_id,) = enqueue(store, spec)
    for status in (Status.RUNNING, Status.COMPLETED):
        store.set_status(run_id, status)
    store.close()
    classes = SOURCES[spec.data.source].classes
    card = ModelCard(
        spec=spec, classes=classes, in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1, metrics={}
    )
    for name in ("best", "last"):
        save_weights(run_folder(runs_dir, run_id) / f"{name}.safetensors", build_model(spec), card)


def test_a_phone_shows_the_pictures_while_a_control_moves(
    page: Page, serve_app: Any, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    save_model(tmp_path)
    url = serve_app(ROOT / "dashboard" / "app.py", env={"DEIT_RUNS_DIR": str(tmp_path)})
    page.goto(f"{url}/attention")
    table = page.get_by_role("table")
    advanced = page.get_by_role("button", name="Advanced")
    slider = page.get_by_role("slider", name="Leave out weak links")
    expect(table).to_be_visible()
    expect(advanced).to_be_visible()

    def is_right() -> bool:
        pictures, control = box(table), box(advanced)
        return pictures["x"] > control["x"] + control["width"]

    def is_above() -> bool:
        pictures, control = box(table), box(slider)
        return 0 <= pictures["y"] < control["y"] < _HEIGHT and pictures["width"] > 300

    wait_until(is_right)
    page.set_viewport_size({"width": 390, "height": _HEIGHT})
    table.scroll_into_view_if_needed()
    wait_until(is_above)
    opener = page.get_by_test_id("stExpandSidebarButton")
    assert opener.evaluate("button => getComputedStyle(button, '::after').content") == '"Pages"'

    page.get_by_role("application", name="Attention over the picture").click()
    expect(page.get_by_role("spinbutton", name="Row")).to_be_visible()
    assert "default value" not in serve_app.said(url)


def test_a_phone_shows_the_diagram_of_learn_in_readable_letters(page: Page, serve_app: Any, tmp_path: Path) -> None:
    url = serve_app(ROOT / "dashboard" / "app.py", env={"DEIT_RUNS_DIR": str(tmp_path)})
    page.set_viewport_size({"width": 390, "height": _HEIGHT})
    page.goto(f"{url}/learn")
    diagram = page.get_by_test_id("stMermaidChart").get_by_role("img")
    expect(diagram).to_be_visible()
    scale = diagram.evaluate("image => image.clientWidth / image.naturalWidth")
    letters = re.findall(r"font-size:(\d+)px", diagram.evaluate("async image => (await fetch(image.src)).text()"))
    assert scale * int(letters[0]) >= 12, "px"


def box(locator: Locator) -> FloatRect:
    found = locator.bounding_box()
    assert found is not None
    return found
