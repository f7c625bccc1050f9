"""Messages to the websocket of the live feed: a strange one may close that socket, and no other."""

import json
from collections.abc import Iterator

import pytest
from bounds import bounded, fuzz, long_texts, texts, values
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dashboard.live import server as live
from deit_core.runs import Store

_FIELDS = st.fixed_dictionaries(
    {}, optional={"runs": st.dictionaries(texts, values, max_size=3) | values, "state": values, "progress": values}
)
_MESSAGES = _FIELDS.map(json.dumps) | values.map(json.dumps) | long_texts | st.binary(max_size=50)


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[TestClient]:
    with (
        pytest.MonkeyPatch.context() as patched,
        TestClient(Starlette(routes=[WebSocketRoute("/live", live.listen)])) as client,
    ):
        patched.setattr(live, "PERIOD_S", 0.01)
        yield client


def is_answered(client: TestClient) -> bool:
    """Whether a page that has drawn nothing yet is asked to draw itself."""
    with client.websocket_connect("/live") as page:
        page.send_json({"runs": {}, "state": "nothing", "progress": ""})
        return bool(page.receive_json()["redraw"])


@fuzz(15)
@given(messages=st.lists(_MESSAGES, min_size=1, max_size=3))
def test_a_message_closes_at_most_its_own_socket(messages: list[str | bytes], client: TestClient) -> None:
    with bounded():
        try:
            with client.websocket_connect("/live") as page:
                for message in messages:
                    if isinstance(message, bytes):
                        page.send_bytes(message)
                    else:
                        page.send_text(message)
        except WebSocketDisconnect:
            pass
        assert is_answered(client)
