"""A Plotly chart that takes new data without losing the reader's zoom.

Knows how to bring a figure to the browser and keep its node there; does not know what the figure shows, how often it
changes, or where its numbers come from. `st.plotly_chart` remounts on every change of its figure, so this component is
needed.
"""

import math
import shutil
from collections.abc import Mapping
from html import escape
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import streamlit as st

from deit_core.plain_text import file_name, harmless

STATIC_DIR = Path(__file__).resolve().parent.parent / "static"

# With the version the browser downloads the file again after an upgrade, and never otherwise.
_SCRIPT_URL = f"app/static/plotly.min.js?v={version('plotly')}"

# The text of a trace that Plotly reads as markup.
_SHOWN = {"name", "text", "hovertext", "x", "y", "labels", "customdata", "legendgrouptitle", "meta"}

_HTML = """
<div class="live-chart"></div>
<p role="alert" hidden>
  The chart library did not load: reload this page, and if that does not help, restart the dashboard with
  <code>make app</code>.
</p>
"""

_CSS = """
.live-chart > [tabindex]:focus-visible { outline: 2px solid var(--st-text-color); outline-offset: -2px; }
.save-figure { display: flex; gap: 4px; justify-content: flex-end; height: 24px; padding-right: 12px; }
.save-figure[hidden] { display: none; }
.save-figure button {
  font: 0.75rem var(--st-font); color: var(--st-gray-text-color); background: none; border: none; border-radius: 4px;
  padding: 2px 6px; min-width: 24px; cursor: pointer;
}
.save-figure button:hover { color: var(--st-text-color); text-decoration: underline; }
.save-figure button:focus-visible { outline: 2px solid var(--st-primary-color); }
"""
_BUTTONS_HEIGHT = 24

_mount = st.components.v2.component(
    "deit_lab_live_chart",
    html=_HTML,
    css=_CSS,
    js="\n".join(
        (
            files("deit_core").joinpath("results", "figures.js").read_text("utf-8"),
            Path(__file__).with_suffix(".js").read_text("utf-8"),
        )
    ),
    isolate_styles=False,  # Plotly puts its style sheet into the document, where a shadow root would not see it
)


def live_chart(figure: Mapping[str, Any], *, key: str, title: str, alt: str, height: int = 360) -> None:
    """Draw a figure, or give the chart already drawn under this key new data.

    The chart keeps its place in the page, its zoom and its hidden traces while the key stays; inside a fragment that
    polls, only its lines move. Colours, fonts and margins follow Streamlit's theme unless the figure sets them. Buttons
    below save it as PNG and SVG, dark on white, and its numbers as CSV. In a matrix the arrow keys go from cell to
    cell, and a screen reader says each.

    Args:
        figure: {"data": [...], "layout": {...}} of plain lists; numbers that are not finite become gaps. Words of a
            trace (name, text, categories) show literally, so pass run names as they are; `layout` is the caller's own
            and may hold Plotly's markup. Give each trace a `uid` where traces come and go, so that a hidden one stays
            hidden. Change `layout.uirevision` to reset the zoom, for example when the axis changes its meaning. The
            legend takes the place of a title; put a heading above the chart.
        key: identifies the chart in its page, over all reruns.
        title: what the saved files are named by.
        alt: what the chart says, with its numbers, for people who do not see it.
        height: pixels of the chart, without the buttons.
    """
    layout = _for_browser(figure.get("layout", {}), literal=False)
    data = {
        "figure": {"data": [_trace_for_browser(trace) for trace in figure["data"]], "layout": layout},
        "key": key,
        "title": title,
        "filename": file_name(title),
        "alt": alt,
        "height": height,
        "script": _SCRIPT_URL,
    }
    _mount(key=key, data=data, height=height + _BUTTONS_HEIGHT)


def ensure_plotly_js(static_dir: Path = STATIC_DIR) -> None:
    """Put the plotly.min.js of the installed plotly into the folder that Streamlit serves as `app/static`.

    Cheap when it is there already, so the main script calls it on every run.
    """
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    target = static_dir / source.name
    if target.exists() and target.stat().st_size == source.stat().st_size:
        return
    static_dir.mkdir(parents=True, exist_ok=True)
    # Renamed into place: another session may be serving, or copying, the same file.
    copy = target.with_suffix(f".{uuid4().hex}")
    shutil.copyfile(source, copy)
    copy.replace(target)


def _trace_for_browser(trace: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = {name: _for_browser(value, literal=name in _SHOWN) for name, value in trace.items()}
    if "uid" in cleaned:
        cleaned["uid"] = str(cleaned["uid"]).encode().hex()  # Plotly builds CSS selectors from it
    return cleaned


def _for_browser(value: Any, *, literal: bool) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return escape(harmless(value), quote=False) if literal else value
    if isinstance(value, Mapping):
        return {key: _for_browser(item, literal=literal) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_for_browser(item, literal=literal) for item in value]
    return value
