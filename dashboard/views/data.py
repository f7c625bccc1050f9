"""Data: what is in a data set, and what a run makes of its images before it learns from them.

Knows arrays as pictures; cutting, resizing and augmenting are deit_core's. That loads torch, so it is imported where
it is called, after the facts are on the page.
"""

from collections.abc import Sequence
from typing import Any, cast, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from dashboard.charts import COLOURS
from dashboard.download import offer_download
from dashboard.folders import choose_folder
from dashboard.forms import form_fields
from dashboard.navigation import link
from dashboard.state import facts, settings, source
from dashboard.text import escape
from deit_core.catalog import SOURCES, SourceFacts, SourceName
from deit_core.errors import DeitError
from deit_core.spec import AugmentSpec, DataSpec, RunSpec

_NUM_SAMPLES, _SAMPLE_SIDE, _NUM_CLASSES = 15, 64, 10  # sides are in pixels of the page
_NUM_VIEWS, _VIEW_SIDE = 8, 96
_STRENGTHS = (
    *("randaugment_ops", "randaugment_magnitude", "color_jitter", "random_erasing"),
    *("mixup_alpha", "cutmix_alpha", "mixup_prob", "mixup_switch_prob"),
)


def render() -> None:
    st.title("Data")
    name = _choose_source()
    path = choose_folder() if name == "folder" else ""
    if name == "folder" and not path:
        return
    try:
        if name == "folder":
            known = facts(DataSpec(source=name, path=path).model_dump_json())
        else:
            known = SOURCES[name]
        _describe(known)
        if name != "folder" and not _is_here(name):
            offer_download(name)
            return
        spec = _choose_cut(name, path, known)
        _show_counts(spec, known)
        _show_samples(spec, known)
        _show_views(spec, known)
        if name == "folder":
            link("train", "Train on it: choose source folder and this path")
    except DeitError as error:
        st.error(escape(str(error)))


def _choose_source() -> SourceName:
    names = get_args(SourceName)
    chosen = st.segmented_control(
        "Data set",
        names,
        default=names[0],
        format_func=lambda name: SOURCES[name].title if name in SOURCES else "Folder of images",
        required=True,
        key="data",
        bind="query-params",
    )
    return cast(SourceName, chosen or names[0])


def _describe(known: SourceFacts) -> None:
    colours = "in grey" if known.in_chans == 1 else "in colour"
    look = f"{colours}, {known.native_size} x {known.native_size} px" if known.native_size else "cut to squares"
    st.markdown(
        f"{known.num_train:,} images for training and {known.num_test:,} for the test, {look}, "
        f"{len(known.classes)} classes."
    )
    st.caption(escape(known.origin))


def _choose_cut(name: SourceName, path: str, known: SourceFacts) -> DataSpec:
    """What a run would take of the data set."""
    fields = DataSpec.model_fields
    size, fraction, val_fraction, *rest = st.columns(5 if name == "folder" else 3, vertical_alignment="bottom")
    options: dict[str, Any] = {}
    if name == "folder":
        options["path"] = path
        colour, skip = rest
        options["colour"] = colour.toggle(
            "Colour", True, help=fields["colour"].description, key="colour", bind="query-params"
        )
        skips = skip.toggle(
            "Skip corrupt images", help=fields["corrupt_images"].description, key="skip", bind="query-params"
        )
        options["corrupt_images"] = "skip" if skips else "refuse"
    return DataSpec(
        source=name,
        **options,
        img_size=size.number_input(
            "Image size (px)",
            8,
            512,
            value=max(8, known.native_size or 64),
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


def _show_counts(spec: DataSpec, known: SourceFacts) -> None:
    counts, notes = _counts(spec.model_dump_json())
    st.subheader("Images per class")
    totals = ", ".join(f"{sum(numbers):,} {split}" for split, numbers in counts.items())
    st.caption(f"In all {totals}. A run learns from train, chooses its best epoch on validation and is judged on test.")
    classes = known.classes
    figure = {
        "data": [
            {"type": "bar", "name": split, "x": classes, "y": numbers, "marker": {"color": colour}}
            for (split, numbers), colour in zip(counts.items(), COLOURS, strict=False)
        ],
        "layout": {"height": 260, "margin": {"t": 8, "b": 8, "l": 8, "r": 8}, "xaxis": {"type": "category"}},
    }
    st.plotly_chart(figure, key="counts", config={"displayModeBar": False}, alt=f"Images per class: {totals}.")
    for note in notes:
        st.caption(escape(note))


def _show_samples(spec: DataSpec, known: SourceFacts) -> None:
    st.subheader("Samples")
    with st.container(horizontal=True):
        page = st.number_input(
            "Page",
            1,
            10_000,
            key="samples_page",
            width=160,
            help=f"{_NUM_SAMPLES} training images of each class a page.",
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
        images = _images(spec.model_dump_json(), label, (page - 1) * _NUM_SAMPLES, _NUM_SAMPLES)
        _show_row(row, images, _SAMPLE_SIDE, f"{_NUM_SAMPLES} training images of class {title}")


def _named(classes: Sequence[str]) -> str:
    return classes[0] if len(classes) == 1 else f"{classes[0]} to {classes[-1]}"


def _show_views(spec: DataSpec, known: SourceFacts) -> None:
    """One training image beside what augmentation makes of it."""
    from deit_core.data.preview import sample_views

    st.subheader("Augmented views")
    st.caption(
        "Each epoch of a run draws a new view of every image, in the way of these. Another seed draws others. Mixup "
        "and CutMix bring in a second image and its label; a run mixes a whole batch by one share."
    )
    fields = AugmentSpec.model_fields
    with st.grid(5, vertical_alignment="bottom"):
        title = st.selectbox(
            "Class", known.classes, key=f"{spec.origin}_class", bind=None if spec.source == "folder" else "query-params"
        )
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
            disabled=not known.flips_keep_class,
            help=fields["horizontal_flip"].description,
            key=f"{spec.origin}_flip",
        )
    augment = AugmentSpec(crop_padding=padding, horizontal_flip=flip and known.flips_keep_class, **_choose_strengths())
    label = known.classes.index(title)
    image = _images(spec.model_dump_json(), label, index, 1)
    other_label = (label + 1) % len(known.classes)
    other = _images(spec.model_dump_json(), other_label, index, 1) if augment.mixes else None
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
                bounds = {
                    key: getattr(item, key) for item in info.metadata for key in ("ge", "le") if hasattr(item, key)
                }
                low, high, default = (field.kind(value) for value in (bounds["ge"], bounds["le"], info.default))
                chosen[name] = st.number_input(
                    field.label, low, high, value=default, help=field.help, key=f"view_{name}"
                )
    return chosen


def _show_row(place: DeltaGenerator, images: NDArray[np.uint8], side: int, alt: str) -> None:
    from deit_core.data.preview import mosaic

    place.image(mosaic(images, side), output_format="PNG", alt=alt)


def _is_here(name: SourceName) -> bool:
    from deit_core.data import is_here

    return is_here(name, settings().data_dir)


@st.cache_data(max_entries=32, ttl=60, show_spinner="Counting…")
def _counts(spec_json: str) -> tuple[dict[str, list[int]], list[str]]:
    """Images of each class by split, and what else there is to say of the images."""
    from deit_core.data.preview import class_counts, training_statistics

    spec = DataSpec.model_validate_json(spec_json)
    loaded = source(spec)
    counts = {split: numbers.tolist() for split, numbers in class_counts(loaded, spec).items()}
    mean, std, num_images = training_statistics(loaded, spec)
    notes = [
        f"Mean {_per_channel(mean)} and standard deviation {_per_channel(std)} of pixels in [0, 1], over "
        f"{num_images:,} training images. SHA-256 {loaded.content_hash[:16]}."
    ]
    if loaded.skipped:
        more = f" and {len(loaded.skipped) - 5:,} more" if len(loaded.skipped) > 5 else ""
        notes.append(f"Skipped, since they cannot be read: {', '.join(loaded.skipped[:5])}{more}.")
    return counts, notes


def _per_channel(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


@st.cache_data(max_entries=64, ttl=60, show_spinner=False)
def _images(spec_json: str, label: int, first: int, count: int) -> NDArray[np.uint8]:
    from deit_core.data.preview import class_images

    spec = DataSpec.model_validate_json(spec_json)
    return class_images(source(spec), spec, label, first, count)
