"""Loads what a map needs, once for all pages, while they go on.

Knows modules by their names alone.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module

import streamlit as st


@st.cache_resource(show_spinner=False)
def prepare() -> Future[None]:
    """Begin to load it, torch too, which takes seconds; done when the future is."""
    return ThreadPoolExecutor(1).submit(_import_all)


def _import_all() -> None:
    for module in ("deit_core.attention.drawing.views", "deit_core.data"):
        import_module(module)
