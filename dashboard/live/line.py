"""A line on the state of a run, which follows the live feed of its page without being drawn again.

Knows the run's id and the first text of the line; the later ones are decided in dashboard/live/server.py.
"""

from pathlib import Path

import streamlit as st

_mount = st.components.v2.component(
    "deit_lab_live_line",
    html="<span></span>",
    css="span { font-size: var(--st-base-font-size); color: var(--st-text-color); line-height: 1.6; }",
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def live_line(run_id: str, text: str, *, key: str) -> None:
    """Show `text`, and later in its place what the page's live feed says about the run.

    Args:
        text: plain; it shows literally.
        key: identifies the line in its page.
    """
    _mount(key=key, data={"run": run_id, "text": text}, width="stretch", height="content")
