"""Makes text that users typed, or that names files, safe to show. Knows Streamlit's markdown and Plotly's; no pages."""

import html
import re

from dashboard.reach import shown
from deit_core.plain_text import harmless

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_LINK_STARTS = re.compile(r"(www|[:@])", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that shows literally, on one line, in markdown and in labels: run names, notes, messages."""
    # An escaped address is still made a link; an invisible character after "www", ":" and "@" prevents it.
    broken = _LINK_STARTS.sub("\\1\u2060", " ".join(harmless(shown(text)).split()))
    return _PUNCTUATION.sub(r"\\\1", broken)


def plotly_escape(text: str) -> str:
    """Text that shows literally in a Plotly chart, which takes some tags and entities of HTML."""
    return html.escape(harmless(text), quote=False)
