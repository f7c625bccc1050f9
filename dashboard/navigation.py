"""The pages of the dashboard, and links between them."""

import time
from importlib import import_module
from typing import NoReturn

import streamlit as st

from dashboard import address
from dashboard.error_messages import errors_as_messages

_PAGES = {
    "home": ("Home", ":material/home:"),
    "train": ("Train", ":material/play_circle:"),
    "runs": ("Runs", ":material/monitoring:"),
    "compare": ("Compare", ":material/compare_arrows:"),
    "attention": ("Attention", ":material/visibility:"),
    "predict": ("Predict", ":material/image_search:"),
    "lab": ("Lab", ":material/science:"),
    "data": ("Data", ":material/photo_library:"),
    "learn": ("Learn", ":material/school:"),
    "system": ("System", ":material/memory:"),
}
_FIRST = "home"
_OF_TRAIN = ("preset", "set")  # in an address from when Train was the first page
_FIRST_PAINT_S = 4  # earlier imports compete with the first browser for the same cores


def page(url_path: str) -> st.Page:
    """The page at this path; its module is imported only when it is shown."""
    title, icon = _PAGES[url_path]

    def render() -> None:
        if url_path == _FIRST and any(key in st.query_params for key in _OF_TRAIN):
            asked = [(key, text) for key in st.query_params for text in st.query_params.get_all(key)]
            st.switch_page(page("train"), query_params=asked)
        show(url_path)

    return st.Page(render, title=title, icon=icon, url_path=url_path, default=url_path == _FIRST)


def show(url_path: str) -> None:
    """Draw the page at this path, or the reason why it cannot be drawn."""
    view = import_module(f"dashboard.views.{url_path}.page")
    with errors_as_messages(), address.followed(url_path):
        import_module("dashboard.state").begin_page()
        import_module("dashboard.missing").warn_moved()
        view.render()


def pages() -> list[st.Page]:
    return [page(url_path) for url_path in _PAGES]


def paths() -> list[str]:
    """The paths of all pages; the first one is empty, the server's own address."""
    return ["" if url_path == _FIRST else url_path for url_path in _PAGES]


def load_pages() -> None:
    """Import what the pages need before their first visit: first what all pages share, then the rest."""
    import_module("dashboard.state")
    time.sleep(_FIRST_PAINT_S)
    for url_path in _PAGES:
        import_module(f"dashboard.views.{url_path}.page")
    import_module("pandas")  # comes with the first table or component


def link(url_path: str, label: str) -> None:
    """A link to a page of the dashboard."""
    st.page_link(page(url_path), label=label, icon=_PAGES[url_path][1])


def open_page(url_path: str) -> NoReturn:
    """Go to a page of the dashboard, as its link does."""
    st.switch_page(page(url_path), query_params={})  # None fails while a widget of this page is in the address
