"""Pictures for a trained model: uploads, and images of a data set, cut and resized as in training.

Knows bytes and pixels; nothing of models, normalisation or pages. Every picture is RGB (H, W, 3), so uploads and test
images are handled alike, and a test image reaches the model exactly as in evaluation.

    H x W picture, S img_size, C channels
"""

import io
import struct

import numpy as np
import torch
from PIL import ExifTags, Image

from deit_core.catalog.pixel_versions import FIRST_PIXELS, PixelVersion
from deit_core.data.sources.grey_levels import in_eight_bits, is_deep
from deit_core.data.sources.jpeg import Picture, decode_jpeg
from deit_core.data.sources.resizing import resize
from deit_core.errors import DataError
from deit_core.image_folders import FORMATS, ONE_FORMAT

MAX_PIXELS = 50_000_000
MAX_MEMORY = 400_000_000  # bytes that the decoding of one picture may take
MAX_SIDE = 1024
# Above, a picture is reduced strip by strip: each whole copy of 50 megapixels takes 200 MB. Cameras and phones mostly
# make fewer pixels, and of those every bit stays as it was.
LARGE_PIXELS = 16_000_000
_STRIP_ROWS = 32  # after the reduction

# Bytes for a pixel at the peak of decoding, as measured: a decoder that works on copies, and grey that is scaled.
_WEBP_COST, _GREY_16_COST, _GREY_32_COST, _OTHER_COST = 17, 10, 21, 5

# Errors that Pillow raises for bytes that only look like an image.
_UNREADABLE = (OSError, SyntaxError, TypeError, ValueError, EOFError, struct.error)

# The operation that turns a picture with this EXIF orientation upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class TooLargeError(DataError):
    """A picture that is not decoded, since it would take too much memory."""


def decode_image(content: bytes) -> Picture:
    """Decode an uploaded file: upright as its EXIF data says, transparent parts white, large ones made smaller.

    Args:
        content: the bytes of a file in one of FORMATS; of an animation the first frame is used.
    Returns: (H, W, 3) uint8 RGB, the longer side at most 1024 pixels.
    Raises: DataError when the bytes are no such image, or are damaged; its kinds TooLargeError where it has more than
        50 million pixels or would take more than 400 MB to decode, and GreyLevelsError where the pixels do not say what
        is black and what is white.
    """
    try:
        with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as image:
            check_size(image)
            image.draft(None, (MAX_SIDE, MAX_SIDE))  # a JPEG is then decoded small; other formats ignore it
            image.load()  # the EXIF data of a PNG may come last
            reduced = _reduced(in_eight_bits(image))
            return np.asarray(_small_on_white(_upright(reduced, image.getexif())))
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels("far too many") from None
    except _UNREADABLE as error:
        raise DataError(f"This file is not an image that can be read; choose a {ONE_FORMAT} file.") from error


def read_image(content: bytes, *, img_size: int, in_chans: int, version: PixelVersion, invert: bool = False) -> Picture:
    """Decode a file and fit it to a model, exactly as in the training of a model with this pixel version.

    Args: see `decode_image` and `fit_image`.
    Returns: (C, S, S) uint8.
    Raises: DataError, as both do.
    """
    picture = None if version == FIRST_PIXELS else decode_jpeg(content, img_size, MAX_PIXELS)
    if picture is None:
        picture = decode_image(content)
    return fit_image(picture, img_size=img_size, in_chans=in_chans, version=version, invert=invert)


def crop_square(picture: Picture) -> Picture:
    """Crop the largest square in the middle: (H, W, ...) -> (side, side, ...), a view of the same pixels."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def fit_image(
    picture: Picture,
    *,
    img_size: int,
    in_chans: int,
    version: PixelVersion = FIRST_PIXELS,
    invert: bool = False,
) -> Picture:
    """Crop and resize a picture for a model: the square in its middle, resized as in training.

    The result is all that the model sees, so overlays are drawn on it.

    Args:
        picture: (H, W, 3) RGB.
        in_chans: 1 makes it grey, 3 leaves it in colour.
        version: the model's pixel version.
        invert: turn light into dark; data sets such as Fashion-MNIST show light things on black, photographs rarely do.
    Returns: (C, S, S) uint8.
    Raises: DataError for another number of channels.
    """
    if in_chans not in (1, 3):
        raise DataError(f"A picture has 1 or 3 channels, but this model reads {in_chans}; choose another model.")
    square = crop_square(picture)
    if in_chans == 1:
        square = np.asarray(Image.fromarray(square).convert("L"))[..., None]
    if invert:
        square = 255 - square
    if any(stride < 0 for stride in square.strides) or not square.flags.writeable:  # which torch does not take
        square = square.copy()
    channels_first = torch.from_numpy(square).permute(2, 0, 1)
    fitted: Picture = resize(channels_first[None], img_size, version)[0].numpy()
    return fitted


def check_size(image: Image.Image) -> None:
    """Raises: TooLargeError where an image, of which the header alone is read, would take too much memory."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise _too_many_pixels(f"{pixels / 1e6:.0f} million")
    if (needed := pixels * _cost(image)) > MAX_MEMORY:
        what = "WebP picture" if image.format == "WEBP" else "grey picture of many bits"
        raise TooLargeError(
            f"To read this {what} of {image.width} x {image.height} pixels takes {needed / 1e6:.0f} MB of memory, and "
            f"one picture gets {MAX_MEMORY / 1e6:.0f} MB at most; save it as JPEG, or make it smaller, and try again."
        )


def _cost(image: Image.Image) -> int:
    if image.format == "WEBP":
        return _WEBP_COST
    if is_deep(image):
        return _GREY_16_COST if image.mode.startswith("I;16") else _GREY_32_COST
    return _OTHER_COST


def _too_many_pixels(pixels: str) -> TooLargeError:
    return TooLargeError(
        f"This image has {pixels} pixels, and at most {MAX_PIXELS // 1_000_000} million can be read; "
        "make it smaller and try again."
    )


def _reduced(image: Image.Image) -> Image.Image:
    """A large image by a whole factor smaller, still twice as large as it will be at least; no whole copy is made."""
    factor = max(image.size) // (2 * MAX_SIDE)
    if image.width * image.height <= LARGE_PIXELS or factor < 2:
        return image
    mode = "RGBA" if image.has_transparency_data else "RGB"
    small = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, small.height, _STRIP_ROWS):
        bottom = min(image.height, factor * (top + _STRIP_ROWS))
        strip = image.crop((0, factor * top, image.width, bottom)).convert(mode)
        small.paste(strip.reduce(factor), (0, top))
    return small


def _upright(image: Image.Image, exif: Image.Exif) -> Image.Image:
    """Turned as its EXIF data says; ImageOps.exif_transpose also rewrites that data, and fails on unusual tags."""
    turn = _TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _small_on_white(image: Image.Image) -> Image.Image:
    """RGB of an image in any mode of 8 bits, made smaller where it is large."""
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((MAX_SIDE, MAX_SIDE))
    if small.mode == "RGB":
        return small
    return Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
