"""What a person uploads arrives upright and whole, or not at all; a test image arrives as evaluation shows it."""

import contextlib
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_files import encode
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deit_core.data import load_data, load_source
from deit_core.data.sources.decoding import MAX_SIDE, crop_square, decode_image, fit_image
from deit_core.data.sources.source import find_examples, source_picture
from deit_core.errors import DataError
from deit_core.image_folders import FORMATS
from deit_core.spec import DataSpec


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, b"IDAT")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture
def corners() -> Image.Image:
    """Red at the top left, green at the top right, blue below; 60 wide, 40 high."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30, 0] = pixels[:20, 30:, 1] = pixels[20:, :, 2] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "WEBP"])
def test_formats_decode_to_rgb(corners: Image.Image, fmt: str) -> None:
    picture = decode_image(encode(corners, fmt, quality=100))
    assert picture.shape == (40, 60, 3)
    assert picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - np.asarray(corners))[5:15, 5:25].max() < 10


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA"])
def test_every_mode_becomes_rgb(corners: Image.Image, mode: str) -> None:
    picture = decode_image(encode(corners.convert(mode), "PNG"))
    assert np.array_equal(picture, np.asarray(corners.convert(mode).convert("RGB")))


def test_sixteen_bits_keep_their_range() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    picture = decode_image(encode(Image.fromarray(ramp), "PNG"))
    assert np.array_equal(picture[..., 0], ramp >> 8)


def test_transparent_parts_turn_white(corners: Image.Image) -> None:
    layer = corners.convert("RGBA")
    layer.putalpha(Image.fromarray(np.repeat(np.uint8([[0], [255]]), 20, 0).repeat(60, 1)))
    picture = decode_image(encode(layer, "PNG"))
    assert (picture[:20] == 255).all()
    assert (picture[20:] == [0, 0, 255]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "WEBP"])
def test_photos_stand_upright(corners: Image.Image, fmt: str, orientation: int) -> None:
    stored = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(corners if stored is None else corners.transpose(stored), fmt, exif=exif, quality=100)
    picture = decode_image(content).astype(int)
    assert picture.shape == (40, 60, 3)
    assert np.abs(picture - np.asarray(corners))[5:15, 5:25].max() < 10


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "WEBP"])
def test_an_odd_tag_beside_the_orientation_does_no_harm(corners: Image.Image, fmt: str) -> None:
    """Some cameras write numbers as text, here the resolution, which Pillow reads but cannot write again."""
    tags = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHI4s", 0x011A, 2, 3, b"72\0\0")
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + tags + bytes(4)
    picture = decode_image(encode(corners.transpose(Image.Transpose.ROTATE_90), fmt, exif=exif, quality=100))
    assert picture.shape == (40, 60, 3)
    assert np.abs(picture.astype(int) - np.asarray(corners))[5:15, 5:25].max() < 10


def test_tags_that_pillow_cannot_read_are_a_sentence(corners: Image.Image) -> None:
    text = PngInfo()
    text.add_text("xmp", "text where Pillow looks for bytes")
    with pytest.raises(DataError, match="not an image that can be read"):
        decode_image(encode(corners, "PNG", pnginfo=text))


@pytest.mark.parametrize(("fmt", "size"), [("JPEG", (4000, 1000)), ("PNG", (1000, 3000)), ("WEBP", (1500, 1500))])
def test_large_images_are_made_smaller(fmt: str, size: tuple[int, int]) -> None:
    picture = decode_image(encode(Image.new("RGB", size, "teal"), fmt))
    assert max(picture.shape) == MAX_SIDE
    assert picture.shape[1] / picture.shape[0] == pytest.approx(size[0] / size[1], rel=0.01)


@pytest.mark.parametrize("size", [(10_000, 5_001), (20_000, 20_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_refused_unread(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="at most 50 million"):
        decode_image(png_header(*size))


@pytest.mark.parametrize("content", [b"", b"hello", b"%PDF-1.7 ...", png_header(10, 10), b"GIF89a" + bytes(50)])
def test_what_is_no_image_says_so(content: bytes) -> None:
    with pytest.raises(DataError, match="choose a PNG, JPEG, WebP, BMP, TIFF or GIF file"):
        decode_image(content)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.filterwarnings("ignore")  # damaged EXIF data makes Pillow warn
def test_damaged_images_never_raise_anything_else(corners: Image.Image, fmt: str) -> None:
    content, dice = encode(corners, fmt), random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(dice.randint(1, 5)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        damaged = damaged[: dice.randint(len(damaged) // 4, len(damaged))]
        with contextlib.suppress(DataError):
            assert decode_image(bytes(damaged)).ndim == 3


def test_the_square_is_cut_from_the_middle() -> None:
    wide = np.arange(60, dtype=np.uint8)[None, :, None].repeat(40, 0).repeat(3, 2)
    assert crop_square(wide)[0, :, 0].tolist() == list(range(10, 50))
    assert np.array_equal(crop_square(wide.transpose(1, 0, 2))[:, 0, 0], np.arange(10, 50))


@pytest.mark.parametrize("in_chans", [1, 3])
def test_fit_gives_what_a_model_reads(corners: Image.Image, in_chans: int) -> None:
    picture = np.asarray(corners)
    fitted = fit_image(picture, img_size=28, in_chans=in_chans)
    assert fitted.shape == (in_chans, 28, 28)
    assert fitted.dtype == np.uint8
    light = fit_image(picture, img_size=28, in_chans=in_chans, invert=True)
    assert np.abs(light.astype(int) + fitted - 255).max() <= 1
    if in_chans == 3:
        assert fitted[:, 2, 2].tolist() == [255, 0, 0]
        assert fitted[:, 2, -3].tolist() == [0, 255, 0]


def test_a_model_with_other_channels_is_refused(corners: Image.Image) -> None:
    with pytest.raises(DataError, match="reads 4"):
        fit_image(np.asarray(corners), img_size=16, in_chans=4)


@pytest.mark.parametrize("img_size", [8, 16, 20])
def test_a_test_image_arrives_as_in_evaluation(tmp_path: Path, img_size: int) -> None:
    source = load_source("digits", tmp_path)
    data = load_data(DataSpec(source="digits", img_size=img_size, val_fraction=0.2), tmp_path)
    for label in (0, 7):
        position = find_examples(source, label)[3]
        assert data.test.labels[position] == label
        fitted = fit_image(source_picture(source, position), img_size=img_size, in_chans=1)
        assert np.array_equal(fitted, data.test.images[position])


def test_examples_are_all_of_their_class(tmp_path: Path) -> None:
    source = load_source("digits", tmp_path)
    found = [position for label in range(10) for position in find_examples(source, label)]
    assert sorted(found) == list(range(len(source.test_labels)))
