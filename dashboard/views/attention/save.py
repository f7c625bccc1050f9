"""Pictures and numbers of the page as files that say how they came about. Knows files; not what is in them."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from dashboard.pictures.images import Pixels


def offer(
    name: str, sheet: Callable[[], Pixels], arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
) -> None:
    """Two buttons. Nothing is drawn or packed before one is clicked: a slider does not wait for files."""
    button("Pictures as PNG", f"attention-{name}.png", lambda: _png(sheet(), settings), mime="image/png")
    button("Numbers as NPZ", f"attention-{name}.npz", lambda: _npz(arrays, settings))


def button(
    title: str, file_name: str, pack: Callable[[], bytes], *, mime: str | None = None, help: str | None = None
) -> None:
    """Offer a file that is made when the button is clicked."""
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


def _png(sheet: Pixels, settings: Mapping[str, Any]) -> bytes:
    from deit_core.attention import encode_png

    return encode_png(sheet, settings)


def _npz(arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> bytes:
    from deit_core.attention import encode_npz

    return encode_npz(arrays, settings)
