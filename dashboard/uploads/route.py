"""The address that zips are sent to. Knows requests: who may send, and what; inbox.py keeps the bytes."""

from contextlib import aclosing, suppress
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from streamlit.web.server.server_util import is_url_from_allowed_origins, is_xsrf_enabled
from streamlit.web.server.starlette.starlette_app_utils import validate_xsrf_token
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from dashboard.error_messages import errors_as_messages
from dashboard.reach import DEMO, may, shown
from dashboard.uploads.inbox import inboxes

PATH = "upload"  # below the address of the app; then the ticket of an inbox
_MAX_NAME = 200  # characters


async def receive(request: Request) -> Response:
    """Take the zip that is the body of a request, if a page of this server sends it to its own inbox."""
    if not may("add data"):
        return PlainTextResponse(DEMO, 403)
    if not _is_own_page(request):
        return PlainTextResponse("Only a page of this dashboard can upload; reload it and try again.", 403)
    inbox = inboxes().find(request.path_params["ticket"])
    if inbox is None:
        return PlainTextResponse("The page has lost its connection; reload it and try again.", 404)
    num_bytes = request.headers.get("Content-Length", "")
    if not num_bytes.isdecimal():
        return PlainTextResponse("The size of the file is not announced; use another browser.", 411)
    name = request.query_params.get("name", "")[:_MAX_NAME] or "upload.zip"
    mistakes: list[str] = []
    with errors_as_messages(mistakes.append), suppress(ClientDisconnect):
        async with aclosing(request.stream()) as chunks:
            await inbox.receive(chunks, name, int(num_bytes))
    return PlainTextResponse(shown(mistakes[0]), 400) if mistakes else Response(status_code=204)


def _is_own_page(request: Request) -> bool:
    """As Streamlit decides for its own uploads and websocket: another site's page cannot send in a visitor's name."""
    origin, token = request.headers.get("Origin"), request.headers.get("X-Xsrftoken")
    if is_xsrf_enabled() and not validate_xsrf_token(token, request.cookies.get(XSRF_COOKIE_NAME)):
        return False
    return (
        origin is None or urlsplit(origin).netloc == request.headers.get("Host") or is_url_from_allowed_origins(origin)
    )
