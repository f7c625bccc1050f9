"""The picture on Runs that learns: the map of the newest epoch whose weights are there."""

import json
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from dashboard import state
from deit_core import presets
from deit_core.layout import RunFiles, run_folder
from deit_core.runs import Store, enqueue

RunPage = Callable[..., AppTest]


def picture(page: AppTest) -> dict[str, Any]:
    """The lower of the two panels."""
    assert not page.exception
    tables = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    (table,) = [table for table in tables if "rows" in table]
    return dict(table["rows"][1][0])


def test_it_is_drawn_again_from_the_newest_weights(run_page: RunPage, looked: dict[str, str]) -> None:
    weights = RunFiles(run_folder(state.settings().runs_dir, looked["vit"])).epoch(2)
    content = weights.read_bytes()
    weights.unlink()
    page = run_page("runs", runs=[looked["vit"]])
    first = picture(page)
    weights.write_bytes(content)
    second = picture(page.run())
    assert any("2 vit after epoch 2 of 20" in caption.value for caption in page.caption)
    assert first["src"] != second["src"]
    assert second["caption"].startswith(("✓", "✗"))


def test_a_cnn_has_none(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("runs", runs=[looked["teacher"]])
    assert not any("Where it looks" in heading.value for heading in page.markdown)


def test_until_then_the_run_is_named_that_it_waits_for(run_page: RunPage, store: Store) -> None:
    enqueue(store, presets.get("digits-quick"))
    page = run_page("runs")
    assert any(one.value == "The picture comes after the first epoch of 2 vit." for one in page.caption)
