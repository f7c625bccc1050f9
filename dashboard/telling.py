"""What a page says where a person can mend what went wrong; a mistake of the program shows as Streamlit shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.text import escape
from deit_core.refusals import user_error


def _show(sentence: str) -> None:
    st.error(escape(sentence))


@contextmanager
def telling(show: Callable[[str], object] = _show) -> Iterator[None]:
    """Have `show` say what a person can mend, in place of raising it. Also a decorator, of fragments and callbacks."""
    try:
        yield
    except Exception as error:
        mistake = user_error(error)
        if mistake is None:
            raise
        show(str(mistake))
