"""A closer look at the answer: the likeliest classes by each head of a model."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.attention import images
from dashboard.attention.images import Picture
from dashboard.attention.maps import Column
from dashboard.attention.panel import Controls
from dashboard.text import escape

_TITLES = {"mean": "Output", "class": "Class head", "distillation": "Distillation head"}
_SHOWN = 5


def draw(picture: Picture, column: Column, set_to: Controls) -> None:
    """Raises: DeitError where the model cannot be shown the picture."""
    checkpoint = column.choice.checkpoint
    card = images.viewer(checkpoint).card
    if column.part == "teacher":
        chances = {"mean": images.predict(checkpoint, picture)}
    else:
        chances = images.see(checkpoint, picture).look.probabilities()
    if picture.truth is not None and picture.truth not in card.classes:
        st.info("This model was trained on another data set, and knows no class of this picture.")
    for place, (head, values) in zip(st.columns(3, gap="medium"), chances.items(), strict=False):
        with place:
            _draw_head(_TITLES[head], values, card.classes, picture.truth)
    accuracy = card.metrics.get("val_accuracy")
    scored = "" if accuracy is None else f", {accuracy:.1%} right on validation"
    st.caption(f"Weights of epoch {card.epoch}{scored}.")


def _draw_head(title: str, chances: NDArray[np.float32], classes: Sequence[str], truth: str | None) -> None:
    order = chances.argsort()[::-1][:_SHOWN]
    likeliest = classes[order[0]]
    verdict = ""
    if truth is not None and truth in classes:
        verdict = ", which is right" if likeliest == truth else f"; its class is {truth}"
    st.markdown(escape(f"{title}: {likeliest}{verdict}."))
    for index in order:
        st.progress(float(chances[index]), escape(f"{classes[index]}, {chances[index]:.1%}"))
