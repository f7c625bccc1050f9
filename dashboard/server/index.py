"""The HTML of every page: Streamlit's own, with the address of its server, a browser history, and a style sheet.

Without the address, a page such as /runs looks for the server at its own address first, is refused, and waits for a
tenth of a second before it looks one folder further up. A version of Streamlit that ignores the address does that
again. history.js and page.css say what they correct; a style that came with the page would come after its first paint.
"""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse

# Relative to the page, so that it holds behind a proxy with a path of its own.
_TOLD = "window.__streamlit = {...window.__streamlit, BACKEND_BASE_URL: new URL('.', location.href).href}"
_HISTORY = Path(__file__).with_name("history.js").read_text(encoding="utf-8")
_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_INDEX = Path(st.__file__).with_name("static") / "index.html"
_HTML = _INDEX.read_text(encoding="utf-8").replace(
    "<head>", f"<head><script>{_TOLD}</script><script>{_HISTORY}</script><style>{_STYLE}</style>", 1
)


async def index(_request: Request) -> HTMLResponse:
    return HTMLResponse(_HTML, headers={"Cache-Control": "no-cache"})
