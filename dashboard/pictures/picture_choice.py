"""Which pictures the models are shown: test images, an upload, or the camera. Knows data sets and bytes; no models."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.address import whole_number
from dashboard.navigation import link
from dashboard.pictures import images
from dashboard.pictures.images import Picture
from dashboard.state import facts, settings, source
from dashboard.text import escape
from deit_core.errors import DataError
from deit_core.image_folders import ENDINGS
from deit_core.image_folders.facts import title_of
from deit_core.spec import DataSpec

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_EVERY_CLASS = "One of each class"
_OWN = "{}_picture"  # in the session, one a widget: an upload survives a visit to another page

Load = Callable[[], list[Picture]]


def choose(data: DataSpec) -> Load:
    """The widgets. Loading is left for later, so that the page stands first."""
    kind = st.segmented_control(
        "Picture",
        ["Test set", "Upload", "Camera"],
        default="Test set",
        required=True,
        key="att_picture",
        bind="query-params",
    )
    if kind == "Test set":
        return _choose_test_images(data)
    invert = st.toggle(
        "Invert",
        key="att_invert",
        bind="query-params",
        help="For models that learned from light things on black; most photographs show no such.",
    )
    key = "att_upload" if kind == "Upload" else "att_camera"
    if kind == "Upload":
        file = st.file_uploader(
            "Your picture",
            [ending.removeprefix(".") for ending in ENDINGS],
            max_upload_size=20,
            label_visibility="collapsed",
            width=320,
            key=key,
            on_change=_remember,
            args=(key,),
        )
    else:
        file = st.camera_input(
            "Take a picture",
            label_visibility="collapsed",
            width=320,
            key=key,
            on_change=_remember,
            args=(key,),
        )
    return partial(_own, file or st.session_state.get(_OWN.format(key)), invert)


def _choose_test_images(data: DataSpec) -> Load:
    try:
        known = facts(data.model_dump_json())
    except DataError:
        return partial(_say_gone, data)
    label = st.selectbox("Class", [*known.classes, _EVERY_CLASS], key="att_class", bind="query-params", width=160)
    largest = max(1, known.num_test // len(known.classes))
    number = whole_number("Image", 1, largest, key="att_image", width=110)
    if label == _EVERY_CLASS:
        wanted = [(index, number) for index in range(len(known.classes))]
    else:
        count = whole_number("How many", 1, 10, key="att_count", width=110)
        wanted = [(known.classes.index(label), number + offset) for offset in range(count)]
    return partial(_test_images, data, wanted)


def _test_images(data: DataSpec, wanted: list[tuple[int, int]]) -> list[Picture]:
    """Pictures by (class, number within it from 1)."""
    from deit_core.data import is_here
    from deit_core.data.sources.source import find_examples, source_content, source_picture

    title = title_of(data)
    if data.source != "folder" and not is_here(data.source, settings().data_dir):  # fetching would hold up the page
        st.error(f"{title} is not on this machine. Get it on the Data page, or upload a picture.")
        link("data", f"Get {title}")
        return []
    loaded = source(data)
    pictures = []
    for label, number in wanted:
        examples = find_examples(loaded, label)
        if not examples:
            continue
        position = examples[(number - 1) % len(examples)]
        name = f"{title} test {position}"
        pixels, truth = source_picture(loaded, position), loaded.classes[label]
        content = source_content(loaded, position)
        pictures.append(Picture(f"{data.origin} test {position}", name, pixels, truth, content=content))
    return pictures


def _say_gone(data: DataSpec) -> list[Picture]:
    st.error(f"The test images of {escape(title_of(data))} cannot be read any more. Upload a picture to go on.")
    return []


def _own(file: "UploadedFile | None", invert: bool) -> list[Picture]:
    if file is None:
        st.info("Give a picture of one thing. The models see the square in its middle.")
        return []
    pixels = images.decode(file.file_id, file)
    return [Picture(file.file_id, file.name, pixels, invert=invert, content=file.getvalue())]


def _remember(key: str) -> None:
    st.session_state[_OWN.format(key)] = st.session_state[key]
