"""The HTML that every page begins with: Streamlit's own, told where its server is, and with a history by pages.

Without the first, a page such as /runs looks for the server at its own address first, is refused, and waits for a tenth
of a second before it looks one folder further up. Should Streamlit stop reading what it is told here, it does that
again. What history.js mends is said there.
"""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse

# Relative to the page, so that it holds behind a proxy with a path of its own.
_TOLD = "window.__streamlit = {...window.__streamlit, BACKEND_BASE_URL: new URL('.', location.href).href}"
_HISTORY = Path(__file__).with_name("history.js").read_text(encoding="utf-8")
_INDEX = Path(st.__file__).with_name("static") / "index.html"
_HTML = _INDEX.read_text(encoding="utf-8").replace(
    "<head>", f"<head><script>{_TOLD}</script><script>{_HISTORY}</script>", 1
)


async def index(_request: Request) -> HTMLResponse:
    return HTMLResponse(_HTML, headers={"Cache-Control": "no-cache"})
