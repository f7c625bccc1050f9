"""What is shown of the models, and which closer look at one of them is open."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboard.pictures.images import Picture
from dashboard.text import message
from dashboard.views.attention.closer import (
    by_hand,
    depth,
    heads,
    predictions,
)
from dashboard.views.attention.closer import (
    epoch_film as film,
)
from dashboard.views.attention.closer import (
    faithfulness_curves as faithfulness,
)
from dashboard.views.attention.closer import (
    rollout_variants as variants,
)
from dashboard.views.attention.maps import OPTIONS, TEACHER_OPTION, Column
from deit_core.errors import DeitError
from deit_core.spec import RolloutSpec

Draw = Callable[[Picture, Column, RolloutSpec], None]

_LOOKS: dict[str, tuple[Draw, str]] = {
    "Depth": (depth.draw, "Which tokens the information comes from, layer by layer, and how many links are left."),
    "Heads": (heads.draw, "What the token attends to in each head of each layer. A click shows that head alone."),
    "Variants": (
        variants.draw,
        "The rollout with each head fusion and several discard ratios. A click sets both.",
    ),
    "Faithfulness": (faithfulness.draw, "Does the prediction depend on the patches that the map points at?"),
    "Film": (film.draw, "The map after each epoch that was kept, on one scale."),
}
_PREDICTIONS = "Predictions"  # of all models at once
_BY_HAND = "By hand"  # of none


def choose_columns(columns: Sequence[Column]) -> list[Column]:
    """The columns that are shown, where there is a choice."""
    there = {column.option for column in columns} - {""}
    if not there:
        return list(columns)
    has_tokens = there != {TEACHER_OPTION}
    shown = st.pills(
        "Shown",
        OPTIONS if has_tokens else [TEACHER_OPTION],
        selection_mode="multi",
        default=OPTIONS[1:] if has_tokens else [TEACHER_OPTION],
        key="att_shown" if has_tokens else "att_shown_teacher",  # so that the choice of tokens is there again later
        bind="query-params",
        label_visibility="collapsed",
    )
    return [column for column in columns if not column.option or column.option in shown]


def draw(pictures: Sequence[Picture], columns: Sequence[Column], spec: RolloutSpec) -> None:
    """Draw the closer look that is open, at one of the pictures."""
    with st.container(horizontal=True):
        name = st.segmented_control(
            "Look closer", [*_LOOKS, _PREDICTIONS, _BY_HAND], key="att_closer", bind="query-params"
        )
        picture = _choose_picture(pictures) if name not in (None, _BY_HAND) else pictures[0]
        column = _choose_column(columns, name) if name in _LOOKS else None
    if name == _BY_HAND:
        by_hand.draw(spec)
    elif name == _PREDICTIONS:
        predictions.draw(picture, columns)
    elif name is not None and column is not None:
        look, caption = _LOOKS[name]
        st.caption(caption)
        try:
            look(picture, column, spec)
        except DeitError as error:
            st.warning(message(str(error)))


def _choose_picture(pictures: Sequence[Picture]) -> Picture:
    if len(pictures) == 1:
        return pictures[0]
    by_name = {f"{number}. {picture.truth}": picture for number, picture in enumerate(pictures, start=1)}
    return by_name[st.selectbox("Of", list(by_name), key="att_of", bind="query-params", width=170)]


def _choose_column(columns: Sequence[Column], name: str) -> Column | None:
    """A column that this look can be taken at."""
    by_title = {column.title: column for column in columns if _suits(column, name)}
    if not by_title:
        st.info("None of the columns shown can be looked at like this; show a ViT or a DeiT's tokens.")
        return None
    return by_title[st.selectbox("At", list(by_title), key="att_at", bind="query-params", width=240)]


def _suits(column: Column, name: str) -> bool:
    return column.kind == "attention" or (column.kind == "difference" and name == "Film")
