"""Folders of images on the Data page: which one is shown. Knows widgets; what is in a folder is deit_core's."""

import streamlit as st

from dashboard.state import settings
from dashboard.text import escape
from dashboard.uploads import is_unpacking, offer_upload, take_finished
from deit_core.archives import imported


def choose_folder() -> str:
    """The path of a folder as `data.path` takes it; empty until there is one."""
    if unpacked := take_finished():
        st.session_state["path"] = unpacked
    known = imported(settings().data_dir)
    current = st.session_state.get("path") or st.query_params.get("path")
    if not current and known:
        current = st.session_state["path"] = known[0]
    path = st.selectbox(
        "Folder",
        known if current is None or current in known else [*known, current],
        index=None,
        accept_new_options=True,
        key="path",
        bind="query-params",
        placeholder="Choose one, or type a path on the machine where the dashboard runs",
        help="Inside the data folder, or absolute. It holds a folder a class, or train, val and test with such.",
    )
    with st.expander("Upload a zip", expanded=is_unpacking() or (not known and not path)):
        offer_upload()
    if unpacked:
        st.success(f"Unpacked. To train on it, choose source *folder* on the Train page, with path {escape(unpacked)}.")
    return (path or "").strip()
