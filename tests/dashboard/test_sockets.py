"""The guard around the whole server: how many websockets an address may hold, and the sentences of its refusals."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from dashboard.server.guard import Guard

PAGE = {"Accept": "text/html,*/*"}
LIVE = "ws://localhost/live"


async def listen(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.receive()


async def answer(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("a page")


@pytest.fixture
def guard() -> Guard:
    routes = [WebSocketRoute("/live", listen), Route("/", answer)]
    return Guard(Starlette(routes=routes), {"X-Frame-Options": "DENY"}, max_sockets=3)


@pytest.fixture
def visitor(guard: Guard) -> Iterator[TestClient]:
    with TestClient(guard, base_url="http://localhost") as client:
        yield client


def test_an_address_holds_a_number_of_sockets_and_no_more(guard: Guard, visitor: TestClient) -> None:
    other = TestClient(guard, base_url="http://localhost", client=("192.168.1.7", 5))
    with ExitStack() as sockets:
        held = [sockets.enter_context(visitor.websocket_connect(LIVE)) for _ in range(3)]
        with pytest.raises(WebSocketDenialResponse) as refused, visitor.websocket_connect(LIVE):
            pass
        assert refused.value.status_code == 429
        page = visitor.get("/", headers=PAGE)
        assert (page.status_code, page.headers["X-Frame-Options"]) == (429, "DENY")
        assert "Too many pages of the dashboard are open at your address. Close some" in page.text
        assert visitor.get("/").status_code == 200, "what is no page is served, such as the parts of an open one"
        with other.websocket_connect(LIVE):
            assert other.get("/", headers=PAGE).text == "a page"
        held[0].close()
    assert visitor.get("/", headers=PAGE).text == "a page"
    with visitor.websocket_connect(LIVE):
        pass


def test_a_foreign_name_gets_a_sentence(visitor: TestClient) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, visitor.websocket_connect("ws://evil.example/live"):
        pass
    for answered in (refused.value, visitor.get("http://evil.example/")):
        assert answered.status_code == 403
        assert "does not answer to this name" in answered.text
