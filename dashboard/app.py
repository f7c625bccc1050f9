"""The dashboard as a server: the pages and the live feed. `streamlit run dashboard/app.py`

What the pages need is loaded by a thread once the server answers, so that no visitor waits for it.
"""

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from dashboard.navigation import load_pages, paths
from dashboard.server import start
from dashboard.server.allocator import keep_little_free
from dashboard.server.garbage import free_garbage
from dashboard.server.guard import Guard, frame_headers
from dashboard.server.index import index
from dashboard.uploads.limits import UploadLimits
from deit_core.errors import SpecError


async def _listen(websocket: WebSocket) -> None:
    from dashboard.live.server import listen

    await listen(websocket)


async def _receive(request: Request) -> Response:
    from dashboard.uploads.route import receive

    return await receive(request)


def _prepare_and_look(end: threading.Event) -> None:
    load_pages()
    import_module("dashboard.views.data.uploads").remove_unfinished()
    import_module("dashboard.live.workers").look_after_workers(end)


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[None]:
    print(start.visitors_note(), end="", flush=True)
    end = threading.Event()
    for work in (_prepare_and_look, free_garbage):
        threading.Thread(target=work, args=(end,), daemon=True).start()
    yield
    end.set()


def _path(name: str) -> str:
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/{name}" if base else f"/{name}"


try:
    start.refuse_to_be_open_by_accident()
    _guard = Middleware(Guard, frame_headers=frame_headers())
except SpecError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(2)
keep_little_free()
start.note_guarded()
start.answer_to_loopback_names()
start.hide_details_from_visitors()
_routes = [
    WebSocketRoute(_path("live"), _listen),
    Route(_path("upload/{ticket}"), _receive, methods=["PUT"]),
    *(Route(_path(name), index) for name in paths()),
]
app = st.App("frame.py", routes=_routes, middleware=[_guard, Middleware(UploadLimits)], lifespan=_lifespan)
