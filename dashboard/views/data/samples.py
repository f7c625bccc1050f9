"""Images of a data set on the Data page: some of each class, and augmented views of one image.

Knows arrays as images; deit_core splits, resizes and augments. That loads torch, so it is imported where it is called.
"""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from dashboard.address import whole_number
from dashboard.fields import form_fields
from dashboard.state import source
from dashboard.text import escape
from deit_core.catalog import SourceFacts
from deit_core.spec import AugmentSpec, DataSpec, RunSpec, limits

_NUM_SAMPLES, _SAMPLE_SIDE, _NUM_CLASSES = 15, 64, 10  # sides are in pixels of the page
_NUM_VIEWS, _VIEW_SIDE = 8, 96
_STRENGTHS = (
    *("randaugment_ops", "randaugment_magnitude", "color_jitter", "random_erasing"),
    *("mixup_alpha", "cutmix_alpha", "mixup_prob", "mixup_switch_prob"),
)


def show_samples(spec: DataSpec, known: SourceFacts, num_train: Sequence[int]) -> None:
    """Training images of each class, a page of them at a time, of the `num_train` that there are."""
    st.header("Samples")
    with st.container(horizontal=True):
        page = st.number_input(
            "Page",
            1,
            math.ceil(max(num_train) / _NUM_SAMPLES),
            key="samples_page",
            width=160,
            help=f"{_NUM_SAMPLES} training images of each class per page.",
        )
        first = 0
        if len(known.classes) > _NUM_CLASSES:
            first = st.selectbox(
                "Classes",
                range(0, len(known.classes), _NUM_CLASSES),
                format_func=lambda first: _named(known.classes[first : first + _NUM_CLASSES]),
                key=f"{spec.origin}_classes",
                width=320,
            )
    for label, title in list(enumerate(known.classes))[first : first + _NUM_CLASSES]:
        heading, row = st.columns([1, 9], vertical_alignment="center")
        heading.markdown(escape(title))
        before = (page - 1) * _NUM_SAMPLES
        count = min(_NUM_SAMPLES, num_train[label] - before)
        if count > 0:
            row.image(
                _samples(spec.model_dump_json(), label, before, count), alt=f"{count} training images of class {title}"
            )
        else:
            row.caption("No more images.")


def _named(classes: Sequence[str]) -> str:
    return classes[0] if len(classes) == 1 else f"{classes[0]} to {classes[-1]}"


def show_views(spec: DataSpec, known: SourceFacts, num_train: Sequence[int]) -> None:
    """One training image, of the `num_train` of each class, next to augmented views of it."""
    from deit_core.data.preview import sample_views

    st.header("Augmented views")
    st.caption(
        "Each epoch of a run draws a new random view of every image, like these. Another seed draws other views. "
        "Mixup and CutMix add a second image and its label; a run mixes a whole batch with one ratio."
    )
    fields = AugmentSpec.model_fields
    with st.grid(5, vertical_alignment="bottom"):
        title = st.selectbox(
            "Class", known.classes, key=f"{spec.origin}_class", bind=None if spec.source == "folder" else "query-params"
        )
        label = known.classes.index(title)
        number = whole_number("Image", 1, max(1, num_train[label]), key="view_image")
        padding = whole_number(
            "Crop padding (px)",
            0,
            min(32, spec.img_size - 1),
            value=2,
            help=fields["crop_padding"].description,
            key="view_padding",
        )
        seed = whole_number("Seed", 0, 2**31 - 1, key="view_seed")
        flip = st.toggle(
            "Horizontal flip",
            disabled=not known.flips_keep_class,
            help=fields["horizontal_flip"].description,
            key=f"{spec.origin}_flip",
        )
    augment = AugmentSpec(crop_padding=padding, horizontal_flip=flip and known.flips_keep_class, **_choose_strengths())
    image = _images(spec.model_dump_json(), label, number - 1, 1)
    other_label = (label + 1) % len(known.classes)
    other = _images(spec.model_dump_json(), other_label, number - 1, 1) if augment.mixes else None
    original, views = st.columns([1, 9])
    original.caption("Original")
    _show_row(original, image, _VIEW_SIDE, f"A training image of class {title}")
    if other is not None:
        original.caption("Mixed in")
        _show_row(original, other, _VIEW_SIDE, f"A training image of class {known.classes[other_label]}")
    views.caption(f"{_NUM_VIEWS} random views")
    made = sample_views(image[0], augment, seed, _NUM_VIEWS, None if other is None else other[0])
    _show_row(views, made, _VIEW_SIDE, "Random views of the same image")


def _choose_strengths() -> dict[str, Any]:
    """The fields of an `AugmentSpec` by which a view is changed beyond crop and flip."""
    chosen: dict[str, Any] = {}
    with st.expander("RandAugment, colours, erasing, mixing"), st.grid(4, vertical_alignment="bottom"):
        for field in form_fields(RunSpec()):
            name = field.path.removeprefix("augment.")
            if name in _STRENGTHS:
                info = AugmentSpec.model_fields[name]
                low, high, default = (field.kind(value) for value in (*limits(info).values(), info.default))
                chosen[name] = st.number_input(
                    field.label, low, high, value=default, help=field.help, key=f"view_{name}"
                )
    return chosen


def _show_row(place: DeltaGenerator, images: NDArray[np.uint8], side: int, alt: str) -> None:
    place.image(_row(images, side), alt=alt)


def _row(images: NDArray[np.uint8], side: int) -> str:
    """A PNG, compressed quickly rather than strongly, as a `data:` address.

    The server forgets the files of a page that is drawn again, also those which a browser is about to fetch; what
    stands in the page itself cannot be missing.
    """
    from deit_core.data.preview import mosaic

    png = io.BytesIO()
    Image.fromarray(mosaic(images, side)).save(png, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def _samples(spec_json: str, label: int, first: int, count: int) -> str:
    """A row of training images of a class."""
    return _row(_images(spec_json, label, first, count), _SAMPLE_SIDE)


@st.cache_data(max_entries=64, ttl=60, show_spinner=False)
def _images(spec_json: str, label: int, first: int, count: int) -> NDArray[np.uint8]:
    from deit_core.data.preview import class_images

    spec = DataSpec.model_validate_json(spec_json)
    return class_images(source(spec), spec, label, first, count)
