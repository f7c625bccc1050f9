"""The page's end of the live feed: new points go to its charts, and the server draws nothing again.

Knows what the feed needs to know; what it sends, and when, is decided in dashboard/live/server.py.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard.live import server as live
from deit_core.runs import Run

_MAX_POINTS = 1000  # received for one run before its curves are thinned and drawn again

_mount = st.components.v2.component(
    "deit_lab_live_feed",
    html="<span hidden></span>",
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def live_feed(drawn: live.Drawn, runs: Sequence[Run], *, key: str) -> live.Redraw:
    """Listen for news of the runs; call it inside the fragment that draws the runs' progress.

    Args:
        drawn: what else the page has drawn.
        runs: all runs, as their progress is being drawn.
        key: identifies the feed in its page.
    Returns: why the script runs now: "page" where all must be drawn again, "progress", or "".
    """
    data = {
        "path": live.PATH,
        "runs": drawn.seqs,
        "state": drawn.state,
        "progress": live.drawn_progress(runs),
        "max_points": _MAX_POINTS,
    }
    redraw: live.Redraw = _mount(key=key, data=data, on_redraw_change=lambda: None).redraw or ""
    return redraw
