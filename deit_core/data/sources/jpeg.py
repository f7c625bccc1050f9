"""JPEG files decoded by OpenCV, faster than by Pillow, where both are certain to give the same pixels.

Both use libjpeg-turbo. Only colour or grey of 8 bits in one scan is taken here, complete, with nothing unusual in front
of the pixels or among them; everything else is Pillow's. Knows bytes and pixels; no files, no models.

    H x W picture
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Picture = NDArray[np.uint8]

_START, _END = b"\xff\xd8", b"\xff\xd9"
_MARKER_IN_PIXELS = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # others there stand for a byte, or restart the decoder
_FRAMES = {0xC0, 0xC1}  # baseline and extended, by Huffman's code
_OTHER_FRAMES = {0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_SCAN, _APP1 = 0xDA, 0xE1
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap"
_SCALES = {  # by which the decoder can make a picture smaller
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: 0,
}


class Header(NamedTuple):
    """What stands in front of the pixels; `orientation` is that of EXIF, 1 where they are upright."""

    width: int
    height: int
    orientation: int


def decode_jpeg(content: bytes, least_side: int, most_pixels: int) -> Picture | None:
    """A picture (H, W, 3) RGB, upright; made smaller by 2, 4 or 8 while it is decoded, where its sides stay as large.

    Args:
        least_side: the shorter side has at least so many pixels, if the file has.
        most_pixels: a larger picture is not decoded.
    Returns: None where Pillow has to decode it, or to say what is wrong with it.
    """
    header = read_header(content)
    if header is None or header.width * header.height > most_pixels:
        return None
    side = min(header.width, header.height)
    scale = next((scale for scale in _SCALES if side >= scale * least_side), 1)
    flags = _SCALES[scale] | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return None if picture is None else _upright(picture.astype(np.uint8, copy=False), header.orientation)


def read_header(content: bytes) -> Header | None:
    """The header of a JPEG that OpenCV is certain to read as Pillow does; None of another."""
    if not (content.startswith(_START) and content.endswith(_END)):  # Pillow refuses what is cut off
        return None
    frame, orientations = None, []
    try:
        for marker, start, end in _segments(content):
            segment = content[start:end]
            if marker == _SCAN:
                after = _MARKER_IN_PIXELS.search(content, end)
                if after is None or after.end() < len(content):
                    return None
            if marker in _OTHER_FRAMES or (marker in _FRAMES and frame):
                return None
            if marker in _FRAMES:
                frame = struct.unpack(">BHHB", segment[:6])
            elif marker == _APP1 and segment.startswith(_EXIF):
                orientations.append(_orientation(segment))
            elif marker == _APP1 and segment.startswith(_XMP) and b"rientation" in segment:
                return None
    except Exception:  # damaged in some way: Pillow says how
        return None
    if frame is None or len(orientations) > 1:
        return None
    depth, height, width, num_channels = frame
    if depth != 8 or num_channels not in (1, 3) or not width or not height:
        return None
    return Header(width, height, *(orientations or [1]))


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment up to the pixels."""
    position = len(_START)
    while True:
        mark, marker, length = struct.unpack_from(">BBH", content, position)
        if mark != 0xFF or length < 2:
            raise ValueError
        yield marker, position + 4, position + 2 + length
        if marker == _SCAN:
            return
        position += 2 + length


def _orientation(segment: bytes) -> int:
    exif = Image.Exif()
    exif.load(segment)
    return int(exif.get(ExifTags.Base.Orientation, 1))


def _upright(picture: Picture, orientation: int) -> Picture:
    """A view of the picture, turned as its EXIF data says."""
    match orientation:
        case 2:
            return picture[:, ::-1]
        case 3:
            return picture[::-1, ::-1]
        case 4:
            return picture[::-1]
        case 5:
            return picture.swapaxes(0, 1)
        case 6:
            return picture.swapaxes(0, 1)[:, ::-1]
        case 7:
            return picture[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return picture.swapaxes(0, 1)[::-1]
    return picture
