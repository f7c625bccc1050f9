"""A picture of many megapixels is reduced while it is decoded: no copy of all its pixels is made."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from image_files import encode
from PIL import Image, WebPImagePlugin

from deit_core.data.sources import decoding
from deit_core.data.sources.contents import content_warnings
from deit_core.data.sources.decoding import TooLargeError, decode_image
from deit_core.data.sources.folder_images import FolderImages
from deit_core.errors import DataError
from deit_core.image_folders import list_folder


def peak_mb(call: Callable[[], object]) -> float:
    """How far a call raises the memory of this process, as Linux counts it."""
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # what is free already would be used again, and not count
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is used now
    before = used_mb("VmRSS")
    call()
    return used_mb("VmHWM") - before


def used_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000


counts_peaks = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="Linux alone counts the peak like this"
)


@counts_peaks
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_large_picture_takes_the_memory_of_its_pixels_once(mode: str) -> None:
    content = encode(Image.new(mode, (8_600, 2_000)), "PNG", compress_level=1)
    pixels_mb = 8_600 * 2_000 * 4 / 1e6
    decode_image(encode(Image.new(mode, (8, 8)), "PNG"))  # loads what Pillow needs
    assert peak_mb(lambda: decode_image(content)) < 1.7 * pixels_mb


GREEDY = {  # mode, format, options of the file
    "WebP": ("RGB", "WEBP", {"quality": 10, "method": 0}),
    "WebP without loss": ("RGBA", "WEBP", {"lossless": True, "quality": 0, "method": 0}),
    "16 bits": ("I;16", "PNG", {"compress_level": 1}),
    "32 bits": ("I", "TIFF", {}),
    "fractions": ("F", "TIFF", {}),
}


def greedy(kind: str, size: tuple[int, int]) -> bytes:
    """A picture of a kind whose decoding takes much memory."""
    mode, fmt, options = GREEDY[kind]
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 13, 4), dtype=np.uint8), "RGBA")
    picture = noise.resize(size, Image.Resampling.BILINEAR)
    return encode(picture.convert("L").convert(mode) if mode not in ("RGB", "RGBA") else picture, fmt, **options)


@counts_peaks
@pytest.mark.parametrize("kind", GREEDY)
def test_what_a_picture_takes_is_known_before_it_is_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a little more than what it took as the limit it is read, with clearly less it is refused. How much it takes
    also depends on what malloc holds already.
    """
    content = greedy(kind, (2_000, 1_500))
    monkeypatch.setattr(decoding, "LARGE_PIXELS", 1)
    monkeypatch.setattr(decoding, "MAX_SIDE", 100)
    decode_image(greedy(kind, (8, 8)))  # loads what Pillow needs
    peak = 1e6 * peak_mb(lambda: decode_image(content))
    monkeypatch.setattr(decoding, "MAX_MEMORY", 1.25 * peak)
    decode_image(content)
    monkeypatch.setattr(decoding, "MAX_MEMORY", 0.6 * peak)
    with pytest.raises(TooLargeError):
        decode_image(content)


def test_one_that_would_take_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_MEMORY", 40_000_000)
    content = greedy("WebP", (1_600, 1_500))
    monkeypatch.setattr(WebPImagePlugin.WebPImageFile, "load", lambda _: pytest.fail("its pixels were read"))
    with pytest.raises(TooLargeError, match=r"read this WebP picture of 1600 x 1500 pixels takes 41 MB .* 40 MB"):
        decode_image(content)


def test_a_folder_names_the_file_and_the_reason(tmp_path: Path) -> None:
    for name in ("bee", "cow"):
        (tmp_path / name).mkdir()
        for number in range(12):
            (tmp_path / name / f"{number}.png").write_bytes(encode(Image.new("L", (8, 8)), "PNG"))
    deep = tmp_path / "bee" / "deep.tif"
    deep.write_bytes(encode(Image.new("F", (5_000, 4_000)), "TIFF"))
    with pytest.raises(DataError, match=r"deep\.tif: To read this grey picture.*420 MB.*data\.corrupt_images"):
        FolderImages([deep], 8, 1)[0]
    assert content_warnings(list_folder(tmp_path)) == ()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
@pytest.mark.parametrize("size", [(600, 402), (400, 1_000)])
def test_a_large_picture_looks_as_if_it_were_not_reduced_first(
    mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 13, 4), dtype=np.uint8)
    picture = Image.fromarray(noise, "RGBA").resize(size, Image.Resampling.BILINEAR).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(picture, "PNG", exif=exif)
    monkeypatch.setattr(decoding, "MAX_SIDE", 100)
    plain = decode_image(content)
    monkeypatch.setattr(decoding, "LARGE_PIXELS", 1)
    reduced = decode_image(content)
    assert reduced.shape == plain.shape
    assert np.abs(reduced.astype(int) - plain).mean() < 1.5
