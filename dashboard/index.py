"""The HTML that every page but the first begins with: Streamlit's own, told at which address its server is.

Without that, a page such as /runs looks for the server at its own address first, is refused, and waits for a tenth of a
second before it looks one folder further up. Should Streamlit stop reading what it is told here, it does that again.
"""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse

# Relative to the page, so that it holds behind a proxy with a path of its own.
_TOLD = (
    "<script>window.__streamlit = {...window.__streamlit, BACKEND_BASE_URL: new URL('.', location.href).href}</script>"
)
_INDEX = Path(st.__file__).with_name("static") / "index.html"
_HTML = _INDEX.read_text(encoding="utf-8").replace("<head>", f"<head>{_TOLD}", 1)


async def index(_request: Request) -> HTMLResponse:
    return HTMLResponse(_HTML, headers={"Cache-Control": "no-cache"})
