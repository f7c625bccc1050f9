"""JPEGs by OpenCV: the pixels that Pillow gives, and Pillow's word on all that is unusual or damaged."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import encode, spec_of
from PIL import Image

from deit_core.data import load_data
from deit_core.data.sources.decoding import MAX_PIXELS, MAX_SIDE, decode_image, fit_image, read_image
from deit_core.data.sources.jpeg import decode_jpeg, read_header
from deit_core.errors import DataError


def photograph(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = rng.integers(-9, 10, (size[1], size[0], 3))
    return Image.fromarray((np.asarray(coarse) + noise).clip(0, 255).astype(np.uint8)).convert(mode)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("RGB", {"quality": 95, "subsampling": 0}),
        ("RGB", {"optimize": True, "subsampling": 1, "restart_marker_blocks": 2}),
        ("RGB", {"keep_rgb": True}),
        ("RGB", {"optimize": True, "comment": b"a cat"}),
        ("L", {}),
        ("1", {}),
    ],
)
def test_pixels_are_pillows(mode: str, options: dict[str, object]) -> None:
    content = encode(photograph((101, 67), mode), "JPEG", **options)
    decoded = decode_jpeg(content, 67, MAX_PIXELS)
    assert decoded is not None
    assert np.array_equal(decoded, decode_image(content))


@pytest.mark.parametrize("orientation", range(10))
def test_orientation_means_what_it_meant(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(photograph((60, 41)), "JPEG", exif=exif.tobytes())
    decoded = decode_jpeg(content, 41, MAX_PIXELS)
    assert decoded is not None
    assert np.array_equal(decoded, decode_image(content))


@pytest.mark.parametrize(("least", "scale"), [(400, 1), (201, 1), (200, 2), (100, 4), (60, 4), (50, 8), (8, 8)])
def test_large_ones_are_decoded_small(least: int, scale: int) -> None:
    content = encode(photograph((600, 400)), "JPEG")
    decoded = decode_jpeg(content, least, MAX_PIXELS)
    assert decoded is not None
    assert decoded.shape == (400 // scale, 600 // scale, 3)


@pytest.mark.parametrize(
    "content",
    [
        encode(photograph((40, 30), "CMYK"), "JPEG"),
        encode(photograph((40, 30)), "PNG"),
        encode(photograph((40, 30)), "JPEG", progressive=True),
        encode(photograph((40, 30)), "JPEG")[:-1],
        encode(photograph((40, 30)), "JPEG") + b"more",
        encode(photograph((40, 30)), "JPEG", xmp=b"<x tiff:Orientation='6'/>"),
        b"",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x01\xff\xd9",
    ],
    ids=["cmyk", "png", "progressive", "cut-off", "more", "xmp", "empty", "nothing-in-it", "short"],
)
def test_the_rest_is_left_to_pillow(content: bytes) -> None:
    assert decode_jpeg(content, 8, MAX_PIXELS) is None
    assert decode_jpeg(encode(photograph((40, 30)), "JPEG"), 8, most_pixels=1199) is None


def test_damaged_files_are_read_or_refused_as_before() -> None:
    content, dice = encode(photograph((64, 48)), "JPEG"), random.Random(0)
    num_read = 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(2, len(damaged) - 2)] = dice.randrange(256)
        decoded = decode_jpeg(bytes(damaged), 48, MAX_PIXELS)
        if decoded is None:
            continue
        if max(decoded.shape) > MAX_SIDE:  # which decode_image makes smaller
            continue
        num_read += 1
        assert np.array_equal(decoded, decode_image(bytes(damaged)))
    assert num_read > 150
    assert read_header(content) == (64, 48, 1)


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize("size", [(70, 50), (400, 300)])
def test_both_versions_see_nearly_the_same(size: tuple[int, int], in_chans: int) -> None:
    content = encode(photograph(size), "JPEG")
    first, second = (read_image(content, img_size=32, in_chans=in_chans, version=version) for version in (1, 2))
    assert np.array_equal(first, fit_image(decode_image(content), img_size=32, in_chans=in_chans))
    differing = np.abs(first.astype(int) - second)
    if min(size) < 2 * 32:  # else it is decoded small
        assert differing.max() <= 1
    assert differing.mean() < 4


def test_a_folder_is_read_by_its_version_and_has_one_hash(tmp_path: Path) -> None:
    for name in ("bee", "cow"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for number in range(12):
            image = photograph((50 + number, 40), "L" if number % 2 else "RGB")
            image.save(tmp_path / "animals" / name / f"{number}.{'jpg' if number % 3 else 'png'}")
    spec = spec_of(tmp_path / "animals")
    read = {
        (version, limit): load_data(spec, tmp_path, memory_bytes=limit, version=version)
        for version in (1, 2)
        for limit in (0, None)
    }
    for version in (1, 2):
        streamed, resident = (torch.as_tensor(read[version, limit].train.images[:]) for limit in (0, None))
        assert torch.equal(streamed, resident)
        assert read[version, 0].mean == read[version, None].mean
        assert read[version, 0].pixel_version == version
    assert read[1, None].content_hash == read[2, None].content_hash
    first, second = (read[version, None].train.images for version in (1, 2))
    assert not torch.equal(first, second)
    (tmp_path / "animals" / "bee" / "1.jpg").write_bytes((tmp_path / "animals" / "bee" / "1.jpg").read_bytes()[:-9])
    with pytest.raises(DataError, match=r"1\.jpg is damaged"):
        load_data(spec, tmp_path)
