"""What tests read on the Attention page: its tables of pictures."""

import json
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

RunPage = Callable[..., AppTest]
TEACHER = "Teacher, Grad-CAM"  # its column


def table(page: AppTest, key: str = "att_table") -> dict[str, Any]:
    """What the browser is told of a table of panels."""
    assert not page.exception
    found = [element.proto for element in page.get("bidi_component") if element.proto.id.endswith(f"-{key}")]
    assert len(found) == 1, key
    data: dict[str, Any] = json.loads(found[0].json)
    return data


def pictures(page: AppTest, key: str = "att_table") -> list[str]:
    """The pictures of the first row, which tell their content; an empty place is ""."""
    return [cell["src"] if cell else "" for cell in table(page, key)["rows"][0]]
