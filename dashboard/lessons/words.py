"""Markdown of a lesson with its terms: each opens its meaning under the pointer, and under the keyboard's focus."""

import html
import re

import streamlit as st

from dashboard.lessons.course import terms

_STYLE = """
<style>
.term { position: relative; border-bottom: 1px dotted currentColor; cursor: help; }
.term:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.term > .meaning {
  display: none; position: absolute; left: 0; top: 1.7em; z-index: 10; width: min(20rem, 70vw); padding: 8px 10px;
  border-radius: 6px; background: #262730; color: #fff; font-size: 0.85rem; line-height: 1.35; font-weight: 400;
}
.term:hover > .meaning, .term:focus > .meaning { display: block; }
</style>
"""


def words(text: str) -> None:
    """Show Markdown of our own, in which [[word]] or [[word|as it stands in the sentence]] is a term."""
    st.markdown(with_terms(text), unsafe_allow_html=True)


def style() -> None:
    """Once on each page that has terms."""
    st.html(_STYLE)


def with_terms(text: str) -> str:
    """Raises: KeyError for a term that has no meaning."""
    return re.sub(r"\[\[([^\]|]+)(?:\|([^\]]+))?\]\]", _term, text)


def _term(match: re.Match[str]) -> str:
    meaning = html.escape(terms()[match[1]])
    shown = match[2] or match[1]
    return (
        f'<span class="term" tabindex="0" role="note" aria-label="{shown}: {meaning}">{shown}'
        f'<span class="meaning" aria-hidden="true">{meaning}</span></span>'
    )
