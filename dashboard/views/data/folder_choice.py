"""Folders of images on the Data page: which one is shown, and its contents as in `python -m deit_core data`.

Knows widgets; `deit_core` reads what is in a folder.
"""

import streamlit as st

from dashboard.reach import may
from dashboard.state import listing, settings
from dashboard.text import escape, message
from dashboard.views.data.uploads import is_unpacking, offer_upload, take_finished
from deit_core.image_folders.archives import imported
from deit_core.plain_text import cell


def choose_folder() -> str:
    """The path of a folder as `data.path` takes it; empty until one is chosen."""
    if unpacked := take_finished():
        st.session_state["path"] = unpacked.path
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
        help="Inside the data folder, or absolute. It contains one folder per class, or folders train, val and test, "
        "each with one folder per class.",
    )
    if may("add data"):
        with st.expander("Upload a zip", expanded=is_unpacking() or (not known and not path)):
            offer_upload()
    if unpacked:
        st.success(
            f"Unpacked. To train on it, choose source *folder* on the Train page, with path {escape(unpacked.path)}."
        )
        for note in unpacked.notes:
            st.info(escape(note))
    return (path or "").strip()


def show_listing(path: str) -> None:
    """What is left out of the folder at `path`, warnings, and the number of images by class and part."""
    listed = listing(path)
    for warning in listed.warnings:
        st.warning(message(warning))
    num_left_out = sum(one.count for one in listed.left_out)
    if num_left_out:
        st.info(f"{num_left_out:,} {'file is' if num_left_out == 1 else 'files are'} left out, for these reasons.")
        st.dataframe(
            {
                "Files": [one.count for one in listed.left_out],
                "Why": [cell(one.why) for one in listed.left_out],
                "For example": [cell(one.example) for one in listed.left_out],
            },
            hide_index=True,
            key="left_out",
        )
    with st.expander("Contents of the folder"):
        counts = listed.counts()
        st.dataframe(
            {"Class": list(map(cell, listed.classes))}
            | {part: list(numbers.values()) for part, numbers in counts.items()},
            hide_index=True,
            key="parts",
        )
