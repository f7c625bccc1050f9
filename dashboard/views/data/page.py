"""Data: the contents of a data set, how a run would split it, and the number of images of each class.

Knows numbers and widgets; deit_core counts and splits. That loads torch, so it is imported where it is called, after
the facts are on the page. dashboard.views.data.samples shows the images.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import streamlit as st

from dashboard.address import whole_number
from dashboard.components.live_chart import live_chart
from dashboard.curves.charts import COLOURS
from dashboard.navigation import link
from dashboard.state import facts, settings, source
from dashboard.text import escape, message
from dashboard.views.data.download import offer_download
from dashboard.views.data.folder_choice import choose_folder, show_listing
from dashboard.views.data.samples import show_samples, show_views
from deit_core.catalog import SOURCES, SourceFacts, SourceName
from deit_core.errors import DeitError
from deit_core.spec import DataSpec, limits, validated


def render() -> None:
    st.title("Data")
    name = _choose_source()
    images: dict[str, Any] = {"source": name}
    if name == "folder":
        images["path"] = choose_folder()
        if not images["path"]:
            return
    elif name == "scattered-digits":
        images |= _choose_scattered()
    try:
        known = facts(validated(DataSpec, images).model_dump_json())
        _describe(known)
        if name == "folder":
            show_listing(images["path"])
        elif not _is_here(name):
            offer_download(name)
            return
        spec = _choose_cut(images, known)
        with st.spinner("Reading the images"):
            source(spec)
        num_train = _show_counts(spec, known)
        for warning in _warnings(spec.model_dump_json()):
            st.warning(message(warning))
        show_samples(spec, known, num_train)
        show_views(spec, known, num_train)
        if name == "folder":
            link("train", "Train on it: choose source folder and this path")
    except DeitError as error:
        st.error(message(str(error)))


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


def _choose_scattered() -> dict[str, Any]:
    """How scattered digits are made."""
    fields, shown = DataSpec.model_fields, (("Canvas (px)", "canvas_size"), ("Places", "places_per_digit"))
    with st.grid(3, vertical_alignment="bottom"):
        return {
            name: whole_number(label, low, high, value=fields[name].default, help=fields[name].description, key=name)
            for label, name in (*shown, ("Fragments of other digits", "clutter"))
            for low, high in [limits(fields[name]).values()]
        }


def _describe(known: SourceFacts) -> None:
    colours = "in grey" if known.in_chans == 1 else "in colour"
    look = f"{colours}, {known.native_size} x {known.native_size} px" if known.native_size else "cut to squares"
    st.markdown(
        f"{known.num_train:,} images for training and {known.num_test:,} for the test, {look}, "
        f"{len(known.classes)} classes."
    )
    st.caption(escape(known.origin))


def _choose_cut(images: Mapping[str, Any], known: SourceFacts) -> DataSpec:
    """The data settings of a run on `images`, the fields that say which these are."""
    fields, name = DataSpec.model_fields, images["source"]
    size, fraction, val_fraction, *rest = st.columns(5 if name == "folder" else 3, vertical_alignment="bottom")
    options: dict[str, Any] = {}
    if name == "folder":
        colour, skip = rest
        options["colour"] = colour.toggle(
            "Colour", True, help=fields["colour"].description, key="colour", bind="query-params"
        )
        skips = skip.toggle(
            "Skip corrupt images", help=fields["corrupt_images"].description, key="skip", bind="query-params"
        )
        options["corrupt_images"] = "skip" if skips else "refuse"
    return DataSpec(
        **images,
        **options,
        img_size=whole_number(
            "Image size (px)",
            8,
            512,
            value=max(8, known.native_size or 64),
            help=fields["img_size"].description,
            key=f"{name}_size",
            place=size,
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


def _show_counts(spec: DataSpec, known: SourceFacts) -> list[int]:
    """The counts as a chart; returns how many training images each class has."""
    counts, notes = _counts(spec.model_dump_json())
    st.header("Images per class")
    totals = ", ".join(f"{sum(numbers):,} {split}" for split, numbers in counts.items())
    st.caption(
        f"In total {totals}. A run learns from train, chooses its best epoch on validation and is evaluated on test."
    )
    figure = {
        "data": [
            {
                "type": "bar",
                "uid": split,
                "name": split,
                "x": list(known.classes),
                "y": numbers,
                "marker": {"color": colour, "pattern": {"shape": pattern}},
            }
            for (split, numbers), colour, pattern in zip(counts.items(), COLOURS, ("", "/", "."), strict=False)
        ],
        "layout": {"xaxis": {"type": "category", "title": {"text": "Class"}}, "uirevision": spec.source},
    }
    words = f"Images per class: {totals}; {_extremes(counts['train'], known.classes)}."
    live_chart(figure, key="counts", title="Images per class", alt=words, height=260)
    for note in notes:
        st.caption(escape(note))
    return counts["train"]


def _extremes(counts: Sequence[int], classes: Sequence[str]) -> str:
    most, least = max(counts), min(counts)
    if most == least:
        return f"{most:,} of each class in train"
    names = classes[counts.index(most)], classes[counts.index(least)]
    return f"in train {names[0]} has the most with {most:,} and {names[1]} the fewest with {least:,}"


def _is_here(name: SourceName) -> bool:
    with st.spinner("Looking for the images"):  # seconds, where torch is not loaded yet
        from deit_core.data import is_here

    return is_here(name, settings().data_dir)


@st.cache_data(max_entries=32, ttl=60, show_spinner="Counting…")
def _counts(spec_json: str) -> tuple[dict[str, list[int]], list[str]]:
    """Images of each class by split, and further sentences on the images."""
    from deit_core.data import is_streamed
    from deit_core.data.preview import class_counts, training_statistics

    spec = DataSpec.model_validate_json(spec_json)
    loaded = source(spec)
    counts = {split: numbers.tolist() for split, numbers in class_counts(loaded, spec).items()}
    num_images = sum(map(sum, counts.values()))
    streams = is_streamed(loaded, num_images, spec.img_size)  # refuses what does not fit, before an image is resized
    mean, std, num_read = training_statistics(loaded, spec)
    notes = [
        f"Mean {_per_channel(mean)} and standard deviation {_per_channel(std)} of pixels in [0, 1], over "
        f"{num_read:,} training images."
    ]
    if spec.source != "folder":  # of a folder it takes every file
        notes[0] += f" SHA-256 {loaded.content_hash[:16]}."
    if streams:
        size_gb = num_images * loaded.test_images.shape[1] * spec.img_size**2 / 1e9
        notes.append(
            f"At this size the images take {size_gb:.1f} GB, more than a quarter of this machine's memory. A run reads "
            "them from their files in each epoch, a batch ahead."
        )
    notes += loaded.skipped_sentences
    return counts, notes


@st.cache_data(max_entries=32, ttl=60, show_spinner="Looking for copies…")
def _warnings(spec_json: str) -> tuple[str, ...]:
    """Warnings on the content of the images, for which every file is read once."""
    from deit_core.data.sources.progress import no_progress
    from deit_core.data.splits import cut

    spec = DataSpec.model_validate_json(spec_json)
    loaded = source(spec)
    return loaded.warn(*cut(loaded, spec), no_progress)


def _per_channel(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
