"""The settings that the address of a page asks for, and a message on each that is not possible.

An address counts when a user opens it, when Back or Forward bring it back, and when a lesson leads there. Any other
link of the dashboard asks for nothing new. Knows addresses and widgets; nothing of runs, or of what a page shows.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.text import escape
from deit_core.text.quoting import shortened

LESSON = "lesson"  # goes along in the address

_PAGE, _ASKED, _CHECKED, _NOTES = "address_page", "address_asked", "address_checked", "address_notes"


@contextmanager
def followed(url_path: str) -> Iterator[None]:
    """While a page is drawn, let it take the settings of its address; show above it which of them are not possible.

    A message stays until the user changes that setting or leaves the page.
    """
    state = st.session_state
    if state.get(_PAGE) != url_path or is_back():
        _enter(url_path)
    place = st.empty()
    yield
    if not state[_CHECKED]:
        for key, texts in state[_ASKED].items():
            was_left = any(map(_is_infinite, texts))  # see whole_number
            if (was_left or texts != _now(key)) and (strange := _strange(key, texts)):
                note(key, strange)
        state[_NOTES] = {key: (words, _set_to(key)) for key, (words, _) in state[_NOTES].items()}
        state[_CHECKED] = True
    state[_NOTES] = {key: (words, then) for key, (words, then) in state[_NOTES].items() if then == _set_to(key)}
    if state[_NOTES]:
        with place.container():
            for (sentence, is_error), _ in state[_NOTES].values():
                (st.error if is_error else st.info)(sentence)


def take(key: str) -> list[str] | None:
    """What the address asks for under a key that no widget is bound to; None once that is taken, and after a link."""
    texts_by_key: dict[str, list[str]] = st.session_state[_ASKED]
    return texts_by_key.pop(key, None)


def write(key: str, texts: Sequence[str]) -> None:
    """Write a setting into the address, under a key that no widget is bound to: for a reload, and for sending it."""
    if list(texts) != _now(key):
        st.query_params[key] = texts


def note(key: str, sentence: str, *, is_error: bool = False) -> None:
    """Show a message on what the address asks for under this key. Markdown: escape what users typed."""
    st.session_state[_NOTES][key] = ((sentence, is_error), None)


def whole_number(label: str, low: int, high: int, *, key: str, place: Any = st, **options: Any) -> int:
    """A widget for a whole number that is in the address.

    Streamlit 1.67 fails where the address asks for infinity: then the widget and the address do not follow each other.

    Args: place: the container of the widget.
    """
    bind = None if any(map(_is_infinite, _now(key))) else "query-params"
    number: int = place.number_input(label, low, high, key=key, bind=bind, **options)
    return number


def is_back() -> bool:
    """Whether Back or Forward brought the page."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _enter(url_path: str) -> None:
    state = st.session_state
    counts = _PAGE not in state or is_back() or LESSON in st.query_params
    state[_PAGE] = url_path
    state[_ASKED] = {key: _now(key) for key in st.query_params if _may_be_of_a_widget(key)} if counts else {}
    state[_CHECKED], state[_NOTES] = False, {}


def _may_be_of_a_widget(key: str) -> bool:
    """Whether Streamlit takes such a key: it raises at an empty one, and at those that it gives to widgets itself."""
    return key != "" and not key.startswith("$$ID")


def _now(key: str) -> list[str]:
    return list(st.query_params.get_all(key))


def _set_to(key: str) -> tuple[list[str], Any]:
    return _now(key), st.session_state.get(key)


def _strange(key: str, texts: Sequence[str]) -> str:
    """A message where a widget did not take what the address asks for; empty where it did, or there is no such widget.

    Streamlit removes from the address what it cannot use, and also the default value of a widget.
    """
    shown = _texts(key)
    if shown is None:
        return ""
    plain = [_plain(text) for text in shown]
    refused = [text for text in texts if text and _plain(text) not in plain]
    if not refused:
        return ""
    settings = shortened(", ".join(f"{key}={text}" for text in refused))
    instead = f"it is {escape(shortened(', '.join(shown)))} instead" if shown else "it is left out"
    return f"The address asks for {escape(settings)}, which cannot be chosen here; {instead}."


def _texts(key: str) -> list[str] | None:
    """A widget's value as an address would have it; None where there is no such widget."""
    context = get_script_run_ctx()
    if context is None or key not in st.session_state:
        return None
    for widget in context.session_state.get_widget_states():
        if widget.id.endswith(f"-{key}"):
            value: Any = getattr(widget, widget.WhichOneof("value") or "", None)
            values = [] if value is None else value.data if hasattr(value, "data") else [value]
            return [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return []


def _is_infinite(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:
        return False


def _plain(text: str) -> str:
    """The same for all ways in which an address may write one value: 1 and 1.0, true and True."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text.casefold()
