"""Limits on the files that Streamlit's own uploaders keep in the server's memory: pictures and specs.

A visitor may send as many as they like, whatever a page shows: so their sum is limited for each session, which is a
page in a browser, and for the server.
"""

import re
from collections import Counter

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from dashboard.reach import DEMO, may

MAX_OF_PAGE = 60_000_000  # bytes: three pictures of the largest size
MAX_OF_SERVER = 400_000_000
_ADDRESS = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")


class UploadLimits:
    """Middleware: refuses an upload to Streamlit's memory that is too much for its page or for the server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._arriving: Counter[str] = Counter()  # announced bytes, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = _ADDRESS.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if place is None:
            await self._app(scope, receive, send)
            return
        if not may("add data"):
            await PlainTextResponse(DEMO, 403)(scope, receive, send)
            return
        session, num_bytes = place[1], Headers(scope=scope).get("Content-Length", "")
        if not num_bytes.isdecimal():
            await PlainTextResponse("The size of the file is not announced.", 411)(scope, receive, send)
        elif refusal := self._refusal(session, int(num_bytes)):
            await PlainTextResponse(refusal, 413)(scope, receive, send)
        else:
            self._arriving[session] += int(num_bytes)
            try:
                await self._app(scope, receive, send)
            finally:
                self._arriving[session] -= int(num_bytes)
                self._arriving += Counter()  # sessions without any are left out

    def _refusal(self, session: str, num_bytes: int) -> str:
        kept = kept_bytes()
        if kept[session] + self._arriving[session] + num_bytes > MAX_OF_PAGE:
            return f"A page can keep {MAX_OF_PAGE / 1e6:.0f} MB of files; remove one, or reload the page."
        if kept.total() + self._arriving.total() + num_bytes > MAX_OF_SERVER:
            return "The dashboard keeps too many files of visitors just now; try again later."
        return ""


def kept_bytes() -> Counter[str]:
    """How many bytes of files Streamlit keeps, by session."""
    manager = Runtime.instance().uploaded_file_mgr
    assert isinstance(manager, MemoryUploadedFileManager)
    files = {session: list(files.values()) for session, files in list(manager.file_storage.items())}
    return Counter({session: sum(len(file.data) for file in kept) for session, kept in files.items()})
