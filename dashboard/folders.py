"""Folders of images on the Data page: choosing one, and bringing one in as a zip.

Knows widgets; what is in a zip is checked by deit_core.
"""

from pathlib import Path

import streamlit as st

from dashboard.state import settings
from dashboard.text import escape
from deit_core.archives import import_zip, imported
from deit_core.errors import DeitError

_MAX_UPLOAD_MB = 500


def choose_folder() -> str:
    """The path of a folder as `data.path` takes it; empty until there is one."""
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
    with st.expander("Upload a zip", expanded=not known and not path):
        _upload()
    if message := st.session_state.pop("import_message", None):
        st.success(message)
    return path or ""


def _upload() -> None:
    st.caption(
        f"A folder a class with PNG, JPEG or WebP files, or train, val and test with such; at most {_MAX_UPLOAD_MB} "
        "MB. Larger ones: `python -m deit_core import FILE.zip`."
    )
    file = st.file_uploader("Zip", "zip", max_upload_size=_MAX_UPLOAD_MB, label_visibility="collapsed", key="zip")
    if file is None:
        return
    name = st.text_input("Name", Path(file.name).stem, max_chars=80, key=f"zip_name_{file.file_id}")
    st.button("Unpack", type="primary", icon=":material/unarchive:", on_click=_unpack, args=(file, name))
    if error := st.session_state.pop("import_error", None):
        st.error(escape(error))


def _unpack(file: "st.runtime.uploaded_file_manager.UploadedFile", name: str) -> None:
    try:
        st.session_state["path"] = import_zip(file, name, settings().data_dir)
    except DeitError as error:
        st.session_state["import_error"] = str(error)
    else:
        st.session_state["import_message"] = (
            f"Unpacked. To train on it, choose source *folder* on the Train page, with path "
            f"{escape(st.session_state['path'])}."
        )
