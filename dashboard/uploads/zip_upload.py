"""A field for a zip, whose bytes go to the server's disk. `st.file_uploader` would keep them in its memory.

Knows the browser's end of an upload; route.py receives, and views/data decides what becomes of it.
"""

from pathlib import Path

import streamlit as st
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from dashboard.uploads.inbox import MAX_BYTES, Inbox, Upload, inboxes
from dashboard.uploads.route import PATH

_INBOX = "zip_inbox"

_CSS = """
.drop {
  display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; padding: 12px; border-radius: 8px;
  font-family: var(--st-font); font-size: 0.875rem; color: var(--st-text-color);
  background: var(--st-secondary-background-color); border: 1px dashed var(--st-border-color);
}
.drop.over { border-color: var(--st-primary-color); }
label { font-weight: 600; }
/* The browser's own "No file chosen" would stand next to the name of a file that has arrived. */
input { font: inherit; font-size: 0; max-width: 100%; }
input::file-selector-button, button {
  font: inherit; font-size: 0.875rem; color: var(--st-text-color); padding: 4px 12px; border-radius: 8px;
  cursor: pointer;
  background: var(--st-background-color); border: 1px solid var(--st-border-color);
}
input:focus-visible, button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
progress {
  flex: 1 1 160px; height: 6px; appearance: none; border: none; border-radius: 3px; overflow: hidden;
  background: var(--st-border-color);
}
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--st-primary-color); }
progress::-moz-progress-bar { background: var(--st-primary-color); }
[role="status"] { flex-basis: 100%; overflow-wrap: anywhere; }
[role="status"]:empty, [hidden] { display: none; }
"""

_HTML = """
<div class="drop">
  <label for="zip">Zip of images</label>
  <input id="zip" type="file" accept=".zip,application/zip">
  <span>or drop it here</span>
  <progress max="1" value="0" aria-label="Share that is uploaded" hidden></progress>
  <button type="button" hidden>Cancel</button>
  <div role="status"></div>
</div>
"""

_mount = st.components.v2.component(
    "deit_lab_zip_upload",
    html=_HTML,
    css=_CSS,
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def zip_upload(*, key: str) -> Upload | None:
    """Let the visitor send a zip. Returns the newest that arrived whole in this browser session.

    Args: key: identifies the field in its page.
    """
    inbox = _inbox()
    data = {
        "path": f"{PATH}/{inbox.ticket}",
        "max_bytes": MAX_BYTES,
        "cookie": XSRF_COOKIE_NAME,
        "arrived": inbox.upload.name if inbox.upload else "",
    }
    _mount(key=key, data=data, on_arrived_change=lambda: None)
    return inbox.upload


def discard() -> None:
    """Let go of the zip that has arrived in this session."""
    _inbox().upload = None


def _inbox() -> Inbox:
    if _INBOX not in st.session_state:
        st.session_state[_INBOX] = inboxes().open()
    inbox: Inbox = st.session_state[_INBOX]
    return inbox
