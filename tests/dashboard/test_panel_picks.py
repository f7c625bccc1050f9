"""What the table of pictures hears from the browser, and what it sends there."""

import json
from typing import Any

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.panels import Panel, Pick, panels, read_pick


def _png(height: int, width: int) -> bytes:
    return cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1].tobytes()


def _draw(rows: list[list[Panel | None]]) -> dict[str, Any]:
    """What reaches the browser for this table."""

    def script(rows):  # type: ignore[no-untyped-def]
        from dashboard.components.panels import panels

        panels(rows, key="table")

    app = AppTest.from_function(script, args=(rows,), default_timeout=600).run()
    assert not app.exception
    (element,) = app.get("bidi_component")
    data: dict[str, Any] = json.loads(element.proto.json)
    return data


def test_a_picture_is_sent_with_its_size_and_rounded_values() -> None:
    panel = Panel(_png(28, 56), "A map", values=[[0.12345, 2.0, 3.0]], outlined=(0, 2))
    data = _draw([[panel, None]])
    (sent, empty), *_ = data["rows"]
    assert (sent["width"], sent["height"]) == (56, 28)
    assert sent["src"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert sent["values"] == [[0.123, 2.0, 3.0]]
    assert sent["grid"] == [1, 3]
    assert sent["outlined"] == [0, 2]
    assert empty is None


def test_a_table_without_rows_is_drawn() -> None:
    data = _draw([])
    assert data["rows"] == []


def test_a_large_table_stays_small_on_the_wire() -> None:
    values = np.random.default_rng(0).random((14, 14)).tolist()
    data = _draw([[Panel(_png(14, 14), "A head", values=values)] * 12] * 12)
    assert len(json.dumps(data)) < 400_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": ["one", "two"]},
        {"row_titles": ["one", "two"]},
        {"pick": "patch"},
        {"on_pick": print},
    ],
)
def test_arguments_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        panels([[Panel(_png(2, 2), "A map")]], key="table", **wrong)


def test_panels_whose_patches_do_not_fit_are_refused() -> None:
    with pytest.raises(AssertionError):
        Panel(_png(2, 2), "A map", values=[[1.0, 2.0]], grid_size=(2, 2))
    with pytest.raises(AssertionError):
        Panel(_png(2, 2), "A map", outlined=(0, 0))


@pytest.mark.parametrize(
    ("row", "column", "patch", "heard"),
    [
        (0, 0, [2, 4], Pick(0, 0, (2, 4))),
        (0, 1, None, Pick(0, 1, None)),
        (0, 0, [3, 0], None),
        (0, 0, [0, 5], None),
        (0, 0, [-1, 0], None),
        (0, 0, None, None),
        (0, 1, [0, 0], None),
        (1, 0, [0, 0], None),
        (-1, 0, None, None),
    ],
)
def test_a_pick_of_what_is_gone_is_not_heard(
    row: int, column: int, patch: list[int] | None, heard: Pick | None
) -> None:
    sent = {"row": row, "column": column, "patch": patch}
    assert read_pick(sent, {(0, 0): (3, 5), (0, 1): None}) == heard
