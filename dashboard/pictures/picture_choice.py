"""Which pictures the models of a page are shown: test images, an upload, from the camera, or drawn. Knows data sets and
bytes; no models.

The keys of the widgets begin with the name that a page has in its address, such as "att".
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.address import whole_number
from dashboard.components.canvas import Strokes, canvas, paint
from dashboard.components.png import png
from dashboard.navigation import link
from dashboard.pictures import images
from dashboard.pictures.images import Picture
from dashboard.reach import may
from dashboard.state import facts, test_source
from dashboard.text import escape
from deit_core.catalog.data_sets import DIGIT_SIZE
from deit_core.errors import DataError
from deit_core.image_folders import ENDINGS
from deit_core.image_folders.facts import title_of
from deit_core.spec import DataSpec

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from deit_core.data import Source

_EVERY_CLASS = "One of each class"
_OWN = "{}_picture"  # in the session, one a widget: an upload survives a visit to another page
_SETTINGS = ("picture", "invert", "class", "image")
_SOURCES = ("upload", "camera", "drawing")

Load = Callable[[], list[Picture]]


def choose(data: DataSpec, *, page: str, several: bool) -> Load:
    """The widgets. Loading is left for later, so that the page stands first.

    Args: several: whether the page has room for more than one test image.
    """
    kinds = ["Test set", "Upload", "Camera", "Draw"] if may("add data") else ["Test set", "Draw"]
    kind = st.segmented_control(
        "Picture",
        kinds,
        default="Test set",
        required=True,
        key=f"{page}_picture",
        bind="query-params",
    )
    if kind == "Test set":
        return _choose_test_images(data, page, several=several)
    invert = st.toggle(
        "Invert",
        key=f"{page}_invert",
        bind="query-params",
        help="Light becomes dark and dark light. Use it for a photograph of a dark thing on a light ground when the "
        "models learned from light things on black. A drawing is light on black already.",
    )
    st.caption("The picture stays while you visit other pages, and is gone when you reload or close this one.")
    if kind == "Draw":
        key = f"{page}_drawing"
        st.caption(f"Draw one thing with the mouse or a finger, {_how_large(data)}.")
        canvas(_drawn(key), key=key, on_draw=partial(_remember_strokes, key))
        return partial(_drawing, _drawn(key), invert)
    key = f"{page}_upload" if kind == "Upload" else f"{page}_camera"
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


def hand_on(page: str, other: str) -> None:
    """Let another page show the picture that this one shows. Call it in a callback."""
    state = st.session_state
    names = [*_SETTINGS, *(_OWN.format(source) for source in _SOURCES)]
    state.update({f"{other}_{name}": state[f"{page}_{name}"] for name in names if f"{page}_{name}" in state})
    state[f"{other}_count"] = 1


def _choose_test_images(data: DataSpec, page: str, *, several: bool) -> Load:
    try:
        known = facts(data.model_dump_json())
    except DataError:
        return partial(_say_gone, data)
    labels = [*known.classes, _EVERY_CLASS] if several else list(known.classes)
    label = st.selectbox("Class", labels, key=f"{page}_class", bind="query-params", width=160)
    largest = max(1, known.num_test // len(known.classes))
    width = 110 if several else 160  # which has room for the buttons that step
    number = whole_number("Image", 1, largest, key=f"{page}_image", width=width)
    if label == _EVERY_CLASS:
        wanted = [(index, number) for index in range(len(known.classes))]
    else:
        count = whole_number("How many", 1, 10, key=f"{page}_count", width=110) if several else 1
        wanted = [(known.classes.index(label), number + offset) for offset in range(count)]
    return partial(_test_images, data, wanted)


def _test_images(data: DataSpec, wanted: list[tuple[int, int]]) -> list[Picture]:
    """Pictures by (class, number within it from 1)."""
    from deit_core.data.sources.source import find_examples

    title = title_of(data)
    loaded = test_source(data)  # without one: fetching would hold up the page
    if loaded is None:
        st.error(f"{title} is not on this machine. Get it on the Data page, or upload a picture.")
        link("data", f"Get {title}")
        return []
    pictures = []
    for label, number in wanted:
        examples = find_examples(loaded, label)
        if not examples:
            continue
        pictures.append(test_picture(data, loaded, examples[(number - 1) % len(examples)]))
    return pictures


def test_picture(data: DataSpec, source: "Source", position: int) -> Picture:
    """A test image of a run's data by its position from 0. Loads torch."""
    from deit_core.data.sources.source import source_content, source_picture

    return Picture(
        f"{data.origin} test {position}",
        f"{title_of(data)} test {position}",
        source_picture(source, position),
        source.classes[source.test_labels[position]],
        content=source_content(source, position),
    )


def _say_gone(data: DataSpec) -> list[Picture]:
    st.error(f"The test images of {escape(title_of(data))} cannot be read any more. Upload a picture to go on.")
    return []


def _own(file: "UploadedFile | None", invert: bool) -> list[Picture]:
    if file is None:
        st.info("Choose a picture that shows one thing. The models see the square in its middle.")
        return []
    pixels = images.decode(file.file_id, file)
    return [Picture(file.file_id, file.name, pixels, invert=invert, content=file.getvalue())]


def _remember(key: str) -> None:
    st.session_state[_OWN.format(key)] = st.session_state[key]


def _drawn(key: str) -> Strokes:
    strokes: Strokes = st.session_state.get(_OWN.format(key), ())
    return strokes


def _how_large(data: DataSpec) -> str:
    """As large as in the images that the models have learned from."""
    if data.source == "scattered-digits":
        return f"anywhere, and {DIGIT_SIZE / data.canvas_size:.0%} as high as the square"
    return "large and in the middle"


def _drawing(strokes: Strokes, invert: bool) -> list[Picture]:
    """The drawing as a file, which each model reads as an upload."""
    if not strokes:
        st.info("Draw something to see what the models say of it.")
        return []
    pixels = paint(strokes)
    content = png(pixels)
    return [Picture(sha256(content).hexdigest(), "drawing", pixels, invert=invert, content=content)]


def _remember_strokes(key: str, strokes: Strokes) -> None:
    st.session_state[_OWN.format(key)] = strokes
