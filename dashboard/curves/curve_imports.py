"""Curves of other programs on pages that draw curves: they are chosen, imported and deleted among the chart options.

Knows the store and widgets; draws nothing.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard import state
from dashboard.curves.figure import Axis, Curve
from dashboard.error_messages import errors_as_messages
from dashboard.reach import may
from dashboard.text import escape
from deit_core.runs.event_files import read_curves
from deit_core.runs.imported_curves import ImportedCurve, add_curves, delete_curve, imported_curve, names_of_curves

_CHOSEN, _NEW = "curves_imported", "curves_new"  # in the session: ids of those that are drawn, of those just imported


def choose() -> tuple[str, ...]:
    """The ids of those that are drawn."""
    names = names_of_curves(state.store())
    chosen = st.session_state.get(_CHOSEN, []) + st.session_state.pop(_NEW, [])
    if chosen != st.session_state.get(_CHOSEN, []) or not set(chosen) <= set(names):
        st.session_state[_CHOSEN] = [curve_id for curve_id in chosen if curve_id in names]  # others are deleted
    ids: list[str] = []
    if names:
        ids = st.multiselect(
            "Imported curves",
            list(names),
            format_func=lambda curve_id: names[curve_id],
            key=_CHOSEN,
            persist_state="session",
            placeholder="None is drawn",
            help="Curves of other programs, with dotted lines. They are not runs, so no table or verdict shows them.",
        )
        if ids and may("delete"):
            st.button("Delete these", icon=":material/delete:", on_click=_delete, args=([names[one] for one in ids],))
    if may("add data"):
        _offer_import()
    return tuple(ids)


def curves(ids: Sequence[str], axis: Axis) -> list[Curve]:
    """Those that can be drawn along an axis; says which cannot."""
    found = [curve for curve_id in ids if (curve := _curve(state.store().database.num_openings, curve_id)) is not None]
    drawn = [curve for curve in found if axis != "epoch" or curve.has_epochs]
    if left := [curve.name for curve in found if curve not in drawn]:
        st.caption(
            f"{escape(', '.join(left))}: the files do not say how many steps an epoch has. Choose the axis *Step* or "
            "*Time*, or import them again with that number."
        )
    return [Curve(curve, curve.points) for curve in drawn]


@st.cache_resource(max_entries=20, show_spinner=False)
def _curve(num_openings: int, curve_id: str) -> ImportedCurve | None:
    """It never changes. Args: num_openings: of the store."""
    return imported_curve(state.store(), curve_id)


def _offer_import() -> None:
    with st.expander("Import curves"), st.form("import_curves", border=False, clear_on_submit=True):
        files = st.file_uploader(
            "Event files of TensorBoard",
            accept_multiple_files=True,
            help="Their names contain tfevents; give the files of one training. Losses, accuracies and learning rates "
            "are taken, by the words in their names.",
        )
        name = st.text_input("Name", max_chars=80, placeholder="What to call them")
        steps = st.number_input(
            "Steps per epoch", min_value=0.0, value=None, placeholder="Unknown", help="1 if their steps are epochs."
        )
        if st.form_submit_button("Import", icon=":material/upload:") and files:
            _import(files, name, steps or None)


@errors_as_messages()
def _import(files: Sequence[UploadedFile], name: str, steps_per_epoch: float | None) -> None:
    with tempfile.TemporaryDirectory() as folder, st.spinner("Reading the files…"):
        for number, file in enumerate(files):
            (Path(folder) / f"tfevents.{number:04}").write_bytes(file.getbuffer())
        names = add_curves(state.store(), read_curves(Path(folder), name.strip() or "imported"), steps_per_epoch)
    known = names_of_curves(state.store())
    st.session_state[_NEW] = [curve_id for curve_id, one in known.items() if one in names]
    st.rerun()


def _delete(names: Sequence[str]) -> None:
    with errors_as_messages():
        for name in names:
            delete_curve(state.store(), name)
