"""Grey of more than 8 bits keeps its levels, one scale for pictures of one camera, and says where it has no scale."""

from pathlib import Path

import numpy as np
import pytest
from image_files import encode, spec_of, write_images
from numpy.typing import NDArray
from PIL import Image

from deit_core.data import load_data
from deit_core.data.sources.decoding import decode_image
from deit_core.data.sources.grey_levels import GreyLevelsError, in_eight_bits, is_deep, range_of
from deit_core.errors import DataError


def ramp(highest: int, dtype: str = "uint16") -> NDArray[np.generic]:
    return np.linspace(0, highest, 4096).astype(dtype).reshape(64, 64)


def grey(pixels: NDArray[np.generic], fmt: str = "PNG", **options: object) -> NDArray[np.uint8]:
    """What becomes of a 16-bit grey file, one channel."""
    picture = decode_image(encode(Image.fromarray(pixels), fmt, **options))
    assert (picture == picture[..., :1]).all()
    return picture[..., 0]


def test_twelve_bits_in_a_file_of_sixteen_keep_256_levels() -> None:
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    assert np.array_equal(grey(pixels), pixels >> 4)


@pytest.mark.parametrize(
    "pixels",
    [np.arange(4096, dtype=dtype).reshape(64, 64) for dtype in ("uint16", ">u2", "int32", "float32")],
    ids=lambda pixels: str(pixels.dtype),
)
def test_a_tiff_of_many_bits_keeps_256_levels(pixels: NDArray[np.generic]) -> None:
    assert np.array_equal(grey(pixels, "TIFF"), pixels.astype(int) >> 4)


@pytest.mark.parametrize(
    ("highest", "bits"), [(200, 8), (255, 8), (256, 10), (1023, 10), (4095, 12), (9000, 14), (16384, 16), (65535, 16)]
)
def test_the_range_is_the_next_even_number_of_bits(highest: int, bits: int) -> None:
    assert np.array_equal(grey(ramp(highest)), ramp(highest) >> (bits - 8))


def test_pictures_of_one_camera_keep_their_brightness_to_each_other() -> None:
    bright, dim = grey(ramp(4000)), grey(ramp(2000))
    assert np.abs(bright / 2 - dim).max() <= 1


@pytest.mark.parametrize("marker", [0, 7, 65535])
def test_transparency_in_sixteen_bits_turns_white_and_has_no_part_in_the_range(marker: int) -> None:
    pixels = ramp(4095).copy()
    pixels[:8] = marker
    expected = (pixels >> 4).astype(np.uint8)
    expected[pixels == marker] = 255
    assert np.array_equal(grey(pixels, transparency=marker), expected)


@pytest.mark.parametrize("turn", [6, 3])
def test_sixteen_bits_stand_upright(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    assert np.array_equal(grey(ramp(4095), exif=exif), np.rot90(ramp(4095) >> 4, -1 if turn == 6 else 2))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (ramp(4095, ">u2"), ramp(4095) >> 4),
        (ramp(4095, "int32"), ramp(4095) >> 4),
        (ramp(2**20 - 1, "int32"), ramp(2**20 - 1, "int32") >> 12),
        (ramp(4095, "float32"), ramp(4095) >> 4),
        (ramp(255, "float32"), ramp(255)),
        (ramp(255, "float32") / 255, ramp(255, "float32").round()),
        (np.zeros((4, 4), np.float32), np.zeros((4, 4))),
    ],
    ids=["I;16B", "I", "I of 20 bits", "F of 12 bits", "F of 8 bits", "F of shares", "F of black"],
)
def test_every_mode_of_many_bits_is_scaled(pixels: NDArray[np.generic], expected: NDArray[np.generic]) -> None:
    image = in_eight_bits(Image.fromarray(pixels))
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), expected)


def test_where_a_tiff_says_that_zero_is_white_it_is(tmp_path: Path) -> None:
    Image.fromarray(ramp(4095)).save(tmp_path / "film.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "film.tif") as image:
        assert np.array_equal(np.asarray(in_eight_bits(image)), 255 - (ramp(4095) >> 4))


@pytest.mark.parametrize("pixels", [ramp(4095, "int32") - 1000, np.float32([[0, np.nan]]), np.float32([[0, np.inf]])])
def test_numbers_that_are_no_grey_levels_are_a_sentence(pixels: NDArray[np.generic]) -> None:
    with pytest.raises(GreyLevelsError, match=r"Its pixels run from .* to .* save it with grey levels from 0 on\.$"):
        in_eight_bits(Image.fromarray(pixels))


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGB", "RGBA"])
def test_an_image_of_eight_bits_is_left_alone(mode: str) -> None:
    image = Image.new(mode, (5, 4))
    assert in_eight_bits(image) is image
    assert not is_deep(image)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (ramp(4095), "12 bits"),
        (ramp(60000), "16 bits"),
        (ramp(9, "int32"), "8 bits"),
        (ramp(1, "float32"), "fractions"),
    ],
)
def test_the_range_has_a_name(pixels: NDArray[np.generic], words: str) -> None:
    assert is_deep(Image.fromarray(pixels))
    assert range_of(Image.fromarray(pixels)) == words


def test_a_folder_of_sixteen_bits_is_learned_from_in_all_its_levels(tmp_path: Path) -> None:
    write_images(tmp_path / "cells", 10, classes=("a", "b"))
    for file in (tmp_path / "cells").rglob("*.png"):
        Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32) * 4).save(file)
    data = load_data(spec_of(tmp_path / "cells", img_size=32, colour=False), tmp_path)
    assert max(len(np.unique(image)) for image in data.train.images.numpy()) == 256


def test_a_file_without_a_scale_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "f", 10, classes=("a", "b"))
    Image.fromarray(ramp(4095, "int32") - 1000).save(tmp_path / "f" / "a" / "ct.tif")
    (tmp_path / "f" / "a" / "ct.tif").rename(tmp_path / "f" / "a" / "001.png")
    monkeypatch.setattr("deit_core.data.sources.decoding.FORMATS", ("PNG", "JPEG", "TIFF"))
    with pytest.raises(DataError, match=r"001\.png: Its pixels run from -1000 to 3095.*data\.corrupt_images to skip"):
        load_data(spec_of(tmp_path / "f"), tmp_path)
