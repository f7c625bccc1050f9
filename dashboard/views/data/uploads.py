"""Unpacks an uploaded zip in a separate thread. Pages check on it and never wait for it.

It belongs to the server and not to a visitor, so it continues when a page is left or reloaded. Knows only its own
widgets; dashboard.uploads receives a zip, and deit_core checks its contents.
"""

import threading
from pathlib import Path

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.state import settings
from dashboard.text import escape, message
from dashboard.uploads.inbox import MAX_BYTES, Upload
from dashboard.uploads.zip_upload import discard, zip_upload
from deit_core.image_folders import ONE_FORMAT, archives
from deit_core.image_folders.archives import import_zip, list_zip


class Unpacking:
    """One zip on its way into the data folder: `share` of it is there, and in the end `path` or `error` is set.

    `notes` are sentences on what it holds, and what of that is not unpacked.
    """

    def __init__(self, upload: Upload, name: str, data_dir: Path) -> None:
        self.name, self.share, self.path, self.error = name, 0.0, "", ""
        self.notes: tuple[str, ...] = ()
        self.upload: Upload | None = upload  # until it is over
        self.thread = threading.Thread(target=self._work, args=(upload, data_dir), name=f"unpack {name}", daemon=True)
        self.thread.start()

    @property
    def is_over(self) -> bool:
        return not self.thread.is_alive()

    def _work(self, upload: Upload, data_dir: Path) -> None:
        try:
            with errors_as_messages(self._fail):
                self.notes = list_zip(upload.file).notes  # and refused, before minutes are spent on unpacking
                self.path = import_zip(upload.file, self.name, data_dir, self._note)
        finally:
            self.upload = None

    def _fail(self, sentence: str) -> None:
        self.error = sentence

    def _note(self, share: float) -> None:
        self.share = share


def remove_unfinished() -> None:
    """Remove what unpackings have left that were killed with their server."""
    archives.remove_unfinished(settings().data_dir)


def take_finished() -> Unpacking | None:
    """This visitor's zip, if it has become a folder since the last call."""
    own = _unpackings().get(st.session_state.get("unpacking", ""))
    if own is None or not own.is_over or not own.path:
        return None
    del st.session_state["unpacking"]
    discard()
    return own


def offer_upload() -> None:
    """Choose a zip and unpack it. Shows the progress, whoever started it, and why the last zip was refused."""
    st.caption(
        f"One folder per class with {ONE_FORMAT} files, or folders train, val and test with these; at most "
        f"{MAX_BYTES // 1_000_000} MB. For larger files: `python -m deit_core import FILE.zip`."
    )
    upload = zip_upload(key="zip")
    if upload is not None:
        name = st.text_input("Name", Path(upload.name).stem, max_chars=80, key=f"zip_name_{upload.name}")
        unpackings = _unpackings().values()
        is_busy = any(one.upload is upload or (one.name == name and not one.is_over) for one in unpackings)
        st.button(
            "Unpack",
            type="primary",
            icon=":material/unarchive:",
            on_click=_start,
            args=(upload, name),
            disabled=is_busy,
        )
    for unpacking in list(_unpackings().values()):
        if not unpacking.is_over:
            st.fragment(_watch, run_every=0.5)(unpacking)
        elif not unpacking.path:
            why = (
                unpacking.error
                or f"{unpacking.name} could not be unpacked; the output of the dashboard in its terminal says why."
            )
            st.error(message(why))
        elif st.session_state.get("unpacking") == unpacking.name:
            st.rerun()  # it became a folder while the page was drawn


def is_unpacking() -> bool:
    return any(not unpacking.is_over for unpacking in _unpackings().values())


def _start(upload: Upload, name: str) -> None:
    unpackings = _unpackings()
    for other in [other for other in unpackings.values() if other.is_over]:
        del unpackings[other.name]
    unpackings[name] = Unpacking(upload, name, settings().data_dir)
    st.session_state["unpacking"] = name


def _watch(unpacking: Unpacking) -> None:
    if unpacking.is_over:
        st.rerun()
    st.progress(
        unpacking.share, f"Unpacking {escape(unpacking.name)}… You can leave this page; the unpacking continues."
    )


@st.cache_resource(show_spinner=False)
def _unpackings() -> dict[str, Unpacking]:
    """The newest zip of each name, for all visitors; finished ones stay until the next one starts."""
    return {}
