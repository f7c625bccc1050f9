"""What holds for every request and every answer, whichever route it takes: foreign names and frames are refused.

A page of another site that shows this one in a frame could lead a visitor's clicks.
"""

import os
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from dashboard.hosts import is_allowed_host
from deit_core.errors import SpecError

_REFUSAL = (
    "The dashboard does not answer to this name. Open it under http://localhost and its port, or start it with "
    "--server.allowedHosts and the name.\n"
)


class Guard:
    """Middleware for the whole app, Streamlit's own routes and websocket among it."""

    def __init__(self, app: ASGIApp, frame_headers: dict[str, str]) -> None:
        self._app, self._frame_headers = app, frame_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._frame_headers)
            await send(message)

        answer = self._app
        if scope["type"] in ("http", "websocket") and not is_allowed_host(Headers(scope=scope).get("host", "")):
            answer = PlainTextResponse(_REFUSAL, 403) if scope["type"] == "http" else WebSocketClose(1008)
        await answer(scope, receive, send_with_headers)


def frame_headers() -> dict[str, str]:
    """The headers that keep the pages out of other sites' frames, except of the sites in DEIT_FRAMED_BY.

    Raises: SpecError where DEIT_FRAMED_BY is not a list of addresses.
    """
    sites = (os.environ.get("DEIT_FRAMED_BY") or "").split()
    if strange := [site for site in sites if not re.fullmatch(r"https?://[\w.*:\[\]-]+", site, re.ASCII)]:
        raise SpecError(
            f"DEIT_FRAMED_BY lists the sites that may show the dashboard in a frame, such as https://lab.example.org, "
            f"with spaces between them; {strange[0]!r} is none."
        )
    if sites:  # X-Frame-Options cannot name them
        return {"Content-Security-Policy": f"frame-ancestors 'self' {' '.join(sites)}"}
    return {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY"}
