"""Data: what is in a data set, and what a run makes of its images before it learns from them.

Knows arrays as pictures; cutting, resizing and augmenting are deit_core's. That loads torch, so it is imported where
it is called, after the facts are on the page.
"""

from typing import cast, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from dashboard.charts import COLOURS
from dashboard.download import offer_download
from dashboard.state import settings, source
from dashboard.text import escape
from deit_core.catalog import SOURCES, SourceName
from deit_core.errors import DeitError
from deit_core.spec import AugmentSpec, DataSpec

_NUM_SAMPLES, _SAMPLE_SIDE = 15, 64  # sides are in pixels of the page
_NUM_VIEWS, _VIEW_SIDE = 8, 96


def render() -> None:
    st.title("Data")
    name = _choose_source()
    try:
        if not _is_here(name):
            offer_download(name)
            return
        spec = _choose_cut(name)
        _show_counts(spec)
        _show_samples(spec)
        _show_views(spec)
    except DeitError as error:
        st.error(escape(str(error)))


def _choose_source() -> SourceName:
    names = get_args(SourceName)
    chosen = st.segmented_control(
        "Data set",
        names,
        default=names[0],
        format_func=lambda name: SOURCES[name].title,
        required=True,
        key="data",
        bind="query-params",
    )
    name = cast(SourceName, chosen or names[0])
    facts = SOURCES[name]
    colours = "in grey" if facts.in_chans == 1 else "in colour"
    st.markdown(
        f"{facts.num_train:,} images for training and {facts.num_test:,} for the test, {colours}, "
        f"{facts.native_size} x {facts.native_size} px, {len(facts.classes)} classes."
    )
    st.caption(facts.origin)
    return name


def _choose_cut(name: SourceName) -> DataSpec:
    """What a run would take of the data set."""
    fields = DataSpec.model_fields
    size, fraction, val_fraction = st.columns(3)
    return DataSpec(
        source=name,
        img_size=size.number_input(
            "Image size (px)",
            8,
            512,
            value=max(8, SOURCES[name].native_size or 64),
            help=fields["img_size"].description,
            key=f"{name}_size",
            bind="query-params",
        ),
        fraction=fraction.slider(
            "Fraction", 0.01, 1.0, 1.0, help=fields["fraction"].description, key="fraction", bind="query-params"
        ),
        val_fraction=val_fraction.slider(
            "Validation fraction",
            0.01,
            0.5,
            0.1,
            help=fields["val_fraction"].description,
            key="val_fraction",
            bind="query-params",
        ),
    )


def _show_counts(spec: DataSpec) -> None:
    counts = _counts(spec.model_dump_json())
    st.subheader("Images per class")
    totals = ", ".join(f"{sum(numbers):,} {split}" for split, numbers in counts.items())
    st.caption(f"In all {totals}. A run learns from train, chooses its best epoch on validation and is judged on test.")
    classes = SOURCES[spec.source].classes
    figure = {
        "data": [
            {"type": "bar", "name": split, "x": classes, "y": numbers, "marker": {"color": colour}}
            for (split, numbers), colour in zip(counts.items(), COLOURS, strict=False)
        ],
        "layout": {"height": 260, "margin": {"t": 8, "b": 8, "l": 8, "r": 8}, "xaxis": {"type": "category"}},
    }
    st.plotly_chart(figure, key="counts", config={"displayModeBar": False}, alt=f"Images per class: {totals}.")


def _show_samples(spec: DataSpec) -> None:
    st.subheader("Samples")
    page = st.number_input(
        "Page", 1, 10_000, key="samples_page", width=160, help=f"{_NUM_SAMPLES} training images of each class a page."
    )
    for label, title in enumerate(SOURCES[spec.source].classes):
        heading, row = st.columns([1, 9], vertical_alignment="center")
        heading.markdown(escape(title))
        images = _images(spec.model_dump_json(), label, (page - 1) * _NUM_SAMPLES, _NUM_SAMPLES)
        _show_row(row, images, _SAMPLE_SIDE, f"{_NUM_SAMPLES} training images of class {title}")


def _show_views(spec: DataSpec) -> None:
    """One training image beside what augmentation makes of it."""
    from deit_core.data.preview import sample_views

    st.subheader("Augmented views")
    st.caption("Each epoch of a run draws a new view of every image, in the way of these. Another seed draws others.")
    facts, fields = SOURCES[spec.source], AugmentSpec.model_fields
    with st.grid(5, vertical_alignment="bottom"):
        title = st.selectbox("Class", facts.classes, key=f"{spec.source}_class", bind="query-params")
        index = st.number_input("Image", 0, 100_000, key="view_image", bind="query-params")
        padding = st.number_input(
            "Crop padding (px)",
            0,
            min(32, spec.img_size - 1),
            value=2,
            help=fields["crop_padding"].description,
            key="view_padding",
            bind="query-params",
        )
        seed = st.number_input("Seed", 0, 2**31 - 1, key="view_seed", bind="query-params")
        flip = st.toggle(
            "Horizontal flip",
            disabled=not facts.flips_keep_class,
            help=fields["horizontal_flip"].description,
            key=f"{spec.source}_flip",
        )
    image = _images(spec.model_dump_json(), facts.classes.index(title), index, 1)
    augment = AugmentSpec(crop_padding=padding, horizontal_flip=flip and facts.flips_keep_class)
    original, views = st.columns([1, 9])
    original.caption("Original")
    _show_row(original, image, _VIEW_SIDE, f"A training image of class {title}")
    views.caption(f"{_NUM_VIEWS} random views")
    _show_row(views, sample_views(image[0], augment, seed, _NUM_VIEWS), _VIEW_SIDE, "Random views of the same image")


def _show_row(place: DeltaGenerator, images: NDArray[np.uint8], side: int, alt: str) -> None:
    from deit_core.data.preview import mosaic

    place.image(mosaic(images, side), output_format="PNG", alt=alt)


def _is_here(name: SourceName) -> bool:
    from deit_core.data import is_here

    return is_here(name, settings().data_dir)


@st.cache_data(max_entries=32, show_spinner=False)
def _counts(spec_json: str) -> dict[str, list[int]]:
    from deit_core.data.preview import class_counts

    spec = DataSpec.model_validate_json(spec_json)
    return {split: numbers.tolist() for split, numbers in class_counts(source(spec.source), spec).items()}


@st.cache_data(max_entries=64, show_spinner=False)
def _images(spec_json: str, label: int, first: int, count: int) -> NDArray[np.uint8]:
    from deit_core.data.preview import class_images

    spec = DataSpec.model_validate_json(spec_json)
    return class_images(source(spec.source), spec, label, first, count)
