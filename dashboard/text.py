"""What people typed, made safe to show. Knows Streamlit's markdown; nothing of pages."""

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_LINK_STARTS = re.compile(r"(www|[:@])", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that shows literally, on one line, in markdown and in labels: run names, notes, messages."""
    # An escaped address is still made a link; an invisible character after "www", ":" and "@" prevents it.
    broken = _LINK_STARTS.sub("\\1\u2060", " ".join(text.split()))
    return _PUNCTUATION.sub(r"\\\1", broken)
