"""Makes text that users typed, or that names files, safe to show. Knows Streamlit's markdown and Plotly's; no pages."""

import html
import re

from dashboard.reach import shown
from deit_core.plain_text import harmless

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_LINK_STARTS = re.compile(r"(www|[:@])", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that shows literally, on one line, in markdown and in labels: run names, notes."""
    return _literal(_on_one_line(text))


def message(text: str) -> str:
    """A sentence for users, on one line: what stands between backticks shows as code, all else literally.

    So a command in it can be copied, without the characters that keep an address from being a link.
    """
    parts = _on_one_line(text).split("`")
    is_paired = len(parts) % 2 == 1 and all(part.strip() for part in parts[1::2])
    return "`".join(part if n % 2 else _literal(part) for n, part in enumerate(parts)) if is_paired else escape(text)


def _on_one_line(text: str) -> str:
    return " ".join(harmless(shown(text)).split())


def _literal(text: str) -> str:
    # An escaped address is still made a link; an invisible character after "www", ":" and "@" prevents it.
    return _PUNCTUATION.sub(r"\\\1", _LINK_STARTS.sub("\\1\u2060", text))


def plotly_escape(text: str) -> str:
    """Text that shows literally in a Plotly chart, which takes some tags and entities of HTML."""
    return html.escape(harmless(text), quote=False)
