"""A picture of many megapixels is reduced while it is decoded: no copy of all its pixels is made."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from image_files import encode
from PIL import Image

from deit_core.data.sources import decoding
from deit_core.data.sources.decoding import decode_image


def peak_mb(call: Callable[[], object]) -> float:
    """How far a call raises the memory of this process, as Linux counts it."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is used now
    before = used_mb("VmRSS")
    call()
    return used_mb("VmHWM") - before


def used_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone counts the peak like this")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_large_picture_takes_the_memory_of_its_pixels_once(mode: str) -> None:
    content = encode(Image.new(mode, (8_600, 2_000)), "PNG", compress_level=1)
    pixels_mb = 8_600 * 2_000 * 4 / 1e6
    decode_image(encode(Image.new(mode, (8, 8)), "PNG"))  # loads what Pillow needs
    assert peak_mb(lambda: decode_image(content)) < 1.7 * pixels_mb


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
