"""Zips and pictures as a browser may send them."""

import io
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bounds import bounded, fuzz, texts
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deit_core.data.sources.decoding import decode_image
from deit_core.image_folders.archives import import_zip, list_zip

_FORMATS = {"PNG": "L", "JPEG": "RGB", "BMP": "RGB", "WEBP": "RGBA", "TIFF": "I;16", "GIF": "P"}
_CHANGES = st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), min_size=1, max_size=4)
_PARTS = st.sampled_from(["cat", "dog", "train", "val", "..", ".", "", "C:", "__MACOSX", "nul", "a" * 300]) | texts


def picture(format_name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(15, 20)).convert(_FORMATS[format_name]).save(
        buffer, format_name
    )
    return buffer.getvalue()


_PICTURES = {name: picture(name) for name in _FORMATS}
_PNG = _PICTURES["PNG"]


def damaged(content: bytes, changes: list[tuple[float, bytes]]) -> bytes:
    for place, new in changes:
        at = int(place * len(content))
        content = content[:at] + new + content[at + len(new) :] if new else content[: max(1, at)]
    return content


def zipped(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name twice
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), _PNG)
    return buffer.getvalue()


_USUAL = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(3)]
_NAMES = st.lists(
    st.lists(_PARTS, min_size=1, max_size=4).map("/".join).map(lambda name: f"{name}.png"), min_size=1, max_size=6
).filter(lambda names: not any("\ud800" in name for name in names))  # which no zip can hold


def unpack(content: bytes, folder: Path) -> None:
    outside = sorted(folder.parent.iterdir())
    for read in (list_zip, lambda file: import_zip(file, "images", folder)):
        with bounded():
            read(io.BytesIO(content))
    assert sorted(folder.parent.iterdir()) in (outside, sorted({*outside, folder}))
    shutil.rmtree(folder, ignore_errors=True)


@fuzz(40)
@given(changes=_CHANGES)
def test_a_damaged_zip_is_unpacked_or_refused(changes: list[tuple[float, bytes]], tmp_path: Path) -> None:
    unpack(damaged(zipped(_USUAL), changes), tmp_path / "data")


@fuzz(40)
@given(names=_NAMES)
def test_a_zip_with_any_names_is_unpacked_or_refused(names: list[str], tmp_path: Path) -> None:
    unpack(zipped([*_USUAL, *names]), tmp_path / "data")


@pytest.mark.filterwarnings("ignore::Warning:PIL")  # it warns of damage and of large pictures, and goes on
@fuzz(80)
@given(name=st.sampled_from(sorted(_FORMATS)), changes=_CHANGES)
def test_a_damaged_picture_is_decoded_or_refused(name: str, changes: list[tuple[float, bytes]]) -> None:
    with bounded():
        assert decode_image(damaged(_PICTURES[name], changes)).shape[2] == 3


@fuzz(20)
@given(content=st.binary(max_size=100))
def test_any_bytes_are_no_picture(content: bytes) -> None:
    with bounded():
        decode_image(content)
