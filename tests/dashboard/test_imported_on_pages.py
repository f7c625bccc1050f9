"""Curves of other programs on pages: among the lines of a chart, in no table, and gone once they are deleted."""

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from deit_core.runs import Store
from deit_core.runs.event_files import FoundCurve, FoundLine, FoundPoint
from deit_core.runs.imported_curves import add_curves, names_of_curves

RunPage = Callable[..., AppTest]


def add(store: Store, name: str, steps_per_epoch: float | None) -> None:
    points = [FoundPoint(step, step / 10, 1 / step) for step in range(1, 31)]
    add_curves(store, [FoundCurve(name, [FoundLine("step", "train_loss", "loss", points)], [])], steps_per_epoch)


def lines(page: AppTest) -> set[str]:
    figures = [json.loads(element.proto.json) for element in page.get("bidi_component")]
    return {trace["name"] for one in figures if "figure" in one for trace in one["figure"]["data"]}


def test_they_are_drawn_beside_runs_until_they_are_deleted(
    store: Store, trio: dict[str, str], run_page: RunPage
) -> None:
    add(store, "mine", 10)
    add(store, "without epochs", None)
    page = run_page("runs")
    before = lines(page)
    assert len(before) == 3
    page.multiselect(key="curves_imported").set_value(list(names_of_curves(store))).run()
    assert not page.exception
    assert lines(page) - before == {"mine"}
    assert any(caption.value.startswith("without epochs: the files do not say") for caption in page.caption)
    assert len(page.dataframe[0].value) == 3
    (button,) = [button for button in page.button if button.label == "Delete these"]
    button.click().run()
    assert names_of_curves(store) == {}
    assert lines(page) == before


def test_a_demo_deletes_and_imports_none(
    store: Store, trio: dict[str, str], run_page: RunPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "mine", 10)
    monkeypatch.setenv("DEIT_DEMO", "1")
    page = run_page("runs")
    page.multiselect(key="curves_imported").set_value(list(names_of_curves(store))).run()
    assert "mine" in lines(page)
    assert not {"Delete these", "Import"} & {button.label for button in page.button}
