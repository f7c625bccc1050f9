"""What holds for every request and every answer, whichever route it takes: foreign names, frames and a flood of
websockets are refused.

A page of another site that shows this one in a frame could lead a visitor's clicks.
"""

import os
import re
from collections import Counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.hosts import is_allowed_host
from deit_core.errors import SpecError

MAX_SOCKETS = 200  # of one address: a page has two
_FOREIGN = (
    "The dashboard does not answer to this name. Open it under http://localhost and its port, or start it with "
    "--server.allowedHosts and the name.\n"
)


_TOO_MANY = "Too many pages of the dashboard are open at your address. Close some, then reload this page.\n"


class Guard:
    """Middleware for the whole app, Streamlit's own routes and websocket among it.

    Args: max_sockets: how many websockets one address may hold open; it gets no further page then.
    """

    def __init__(self, app: ASGIApp, frame_headers: dict[str, str], max_sockets: int = MAX_SOCKETS) -> None:
        self._app, self._frame_headers, self._max_sockets = app, frame_headers, max_sockets
        self._sockets: Counter[str] = Counter()  # open ones, by address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._frame_headers)
            await send(message)

        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif not is_allowed_host(Headers(scope=scope).get("host", "")):
            await PlainTextResponse(_FOREIGN, 403)(scope, receive, send_with_headers)
        elif self._is_too_much(scope):
            await PlainTextResponse(_TOO_MANY, 429)(scope, receive, send_with_headers)
        elif scope["type"] == "http":
            await self._app(scope, receive, send_with_headers)
        else:
            await self._serve_socket(scope, receive, send)

    def _is_too_much(self, scope: Scope) -> bool:
        opens_page = scope["type"] == "websocket" or "text/html" in Headers(scope=scope).get("accept", "")
        return opens_page and self._sockets[_address(scope)] >= self._max_sockets

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = _address(scope)
        self._sockets[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._sockets[address] -= 1
            self._sockets += Counter()  # addresses without any are left out


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def frame_headers() -> dict[str, str]:
    """The headers that keep the pages out of other sites' frames, except of the sites in DEIT_FRAMED_BY.

    Raises: SpecError where DEIT_FRAMED_BY is not a list of addresses.
    """
    sites = (os.environ.get("DEIT_FRAMED_BY") or "").split()
    if strange := [site for site in sites if not re.fullmatch(r"https?://[\w.*:\[\]-]+", site, re.ASCII)]:
        raise SpecError(
            f"DEIT_FRAMED_BY lists the sites that may show the dashboard in a frame, such as https://lab.example.org, "
            f"with spaces between them; {strange[0]!r} is not one."
        )
    if sites:  # X-Frame-Options cannot name them
        return {"Content-Security-Policy": f"frame-ancestors 'self' {' '.join(sites)}"}
    return {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY"}
