"""Pictures and numbers of the page as files that say how they came about. Knows files; not what is in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from dashboard.views.attention.images import Pixels


@dataclass(frozen=True, eq=False)
class Sheet:
    """A table of pictures, to be made one when somebody asks for the file."""

    rows: Sequence[Sequence[Pixels | None]]
    columns: Sequence[str]
    row_titles: Sequence[str] = ()
    bar: tuple[str, float] | None = None  # colour map and end of the scale
    note: str = ""


def offer(
    name: str, sheet: Callable[[], Sheet], arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
) -> None:
    """Two buttons. Nothing is drawn or packed before one is clicked: a slider does not pay for files nobody wants."""
    described = {**settings, "view": name}
    button("Pictures as PNG", f"attention-{name}.png", lambda: _png(sheet(), described), mime="image/png")
    button("Numbers as NPZ", f"attention-{name}.npz", lambda: _npz(arrays, described))


def button(
    title: str, file_name: str, pack: Callable[[], bytes], *, mime: str | None = None, help: str | None = None
) -> None:
    """Offer a file that is made when it is asked for."""
    st.download_button(
        title,
        pack,
        file_name,
        mime,
        key=f"att_save_{file_name}",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
        help=help,
    )


def _png(sheet: Sheet, settings: Mapping[str, Any]) -> bytes:
    from deit_core.attention import Bar, contact_sheet, encode_png

    bar = Bar(*sheet.bar) if sheet.bar else None
    models = [column["title"] for column in settings.get("columns", ())]
    note = sheet.note or (models[0] if len(models) == 1 else "")
    picture = contact_sheet(sheet.rows, columns=sheet.columns, row_titles=sheet.row_titles, bar=bar, note=note)
    return encode_png(picture, settings)


def _npz(arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> bytes:
    from deit_core.attention import encode_npz

    return encode_npz(arrays, settings)
