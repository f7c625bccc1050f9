"""How a page shows an error that the user can fix; a bug shows as Streamlit shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.text import message
from deit_core.refusals import user_error


def _show(sentence: str) -> None:
    st.error(message(sentence))


@contextmanager
def errors_as_messages(show: Callable[[str], object] = _show) -> Iterator[None]:
    """Show an error that the user can fix instead of raising it. Also a decorator, for fragments and callbacks."""
    try:
        yield
    except Exception as error:
        mistake = user_error(error)
        if mistake is None:
            raise
        show(str(mistake))
