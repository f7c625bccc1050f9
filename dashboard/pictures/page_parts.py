"""The parts of a page that shows pictures to models: controls beside answers, and pictures that may not load.

Knows widgets; no models.
"""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard.pictures.images import Picture
from dashboard.pictures.picture_choice import Load
from dashboard.text import message
from deit_core.errors import DataError

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def side_and_main(key: str, side_width: int) -> "tuple[DeltaGenerator, DeltaGenerator]":
    """A place for controls and, beside it, one for answers; on a phone, which has no room beside, below it."""
    with st.container(horizontal=True, gap="medium", key=f"{key}_beside"):
        return st.container(width=side_width), st.container(width="stretch")


def main_and_side(key: str, side_width: int) -> "tuple[DeltaGenerator, DeltaGenerator]":
    """The same, with the narrow place on the right; on a phone it is below."""
    with st.container(horizontal=True, gap="medium", key=f"{key}_beside"):
        return st.container(width="stretch"), st.container(width=side_width)


def loaded_or_reason(load: Load) -> list[Picture]:
    """The pictures; none where they cannot be loaded, and then the reason stands on the page."""
    try:
        with st.spinner("Loading the pictures"):
            return load()
    except DataError as error:
        st.error(message(str(error)))
        return []
