"""Turn pictures into a film that plays outside the page: an animated GIF, or an MP4.

Knows nothing of what the pictures show.

Shapes: F frames, H x W pixels.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image

from deit_core.attention.overlay import Picture
from deit_core.errors import DeitError

_HOLD = 4  # frame times that a GIF shows its last frame before it starts again
_PALETTE_PIXELS = 2**20  # looked at for the palette; more make it no better, only slower
_FRAME_RATE = 10  # pictures per second that an MP4 has at least; players stutter or skip below
_CODECS = ("avc1", "vp09", "mp4v")  # most widely played first


def encode_gif(frames: Sequence[Picture], *, frame_s: float) -> bytes:
    """Encode an animated GIF that repeats for ever. Every browser, viewer and slide program plays it.

    All frames share one palette of 256 colours, taken from all of them, so that a colour that means one value does so
    in each frame.

    Args:
        frames: F pictures (H, W, 3) uint8 RGB of one size.
        frame_s: seconds per frame, from 0.02, below which browsers slow down, to 60; a GIF counts in hundredths. The
            last frame stays four times as long.
    Returns: the file. Equal neighbours are stored as one frame that stays longer.
    Raises: ValueError without frames, for frames of different sizes, or another frame_s.
    """
    _check(frames, frame_s)
    palette = _shared_palette(frames)
    pages = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    hundredths = round(100 * frame_s)
    durations = [10 * hundredths] * (len(pages) - 1) + [_HOLD * 10 * hundredths]  # Pillow takes milliseconds
    file = BytesIO()
    pages[0].save(
        file, "GIF", save_all=True, append_images=pages[1:], duration=durations, loop=0, optimize=False, disposal=1
    )
    return file.getvalue()


def encode_mp4(frames: Sequence[Picture], *, frame_s: float) -> bytes:
    """Encode an MP4 in the first of three codecs that this OpenCV has: H.264, VP9, MPEG-4 Part 2.

    Everything plays H.264, but OpenCV's Linux wheels have no software encoder for it. They have VP9: browsers, VLC and
    mpv play it in an MP4, QuickTime and PowerPoint do not; there a GIF helps. MPEG-4 Part 2 is the reverse: VLC and
    desktop players read it and no browser does.

    Args:
        frames: F pictures (H, W, 3) uint8 RGB of one size. An odd width or height is padded by repeating the last
            pixels, since the codecs halve the resolution of colour.
        frame_s: seconds per frame, from 0.02 to 60; frames are repeated to a usual rate. The film lasts F * frame_s.
    Returns: the file.
    Raises: ValueError as `encode_gif`, or where OpenCV can encode none of the three.
    """
    _check(frames, frame_s)
    repeats = math.ceil(frame_s * _FRAME_RATE)
    height, width = (length + length % 2 for length in frames[0].shape[:2])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = cv2.VideoWriter(str(path), _codec(), repeats / frame_s, (width, height))
        if not writer.isOpened():
            raise DeitError(f"OpenCV cannot encode an MP4 of {width} x {height} pixels here; save the film as a GIF.")
        for frame in frames:
            padding = ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))
            bgr = np.ascontiguousarray(np.pad(frame, padding, mode="edge")[..., ::-1])
            for _ in range(repeats):
                writer.write(bgr)
        writer.release()
        return path.read_bytes()


@lru_cache
def _codec() -> int:
    """The first codec that can be opened. Tried once: a failing try prints to the server's log."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        for name in _CODECS:
            code = cv2.VideoWriter.fourcc(*name)
            if _opens(code):
                return code
    finally:
        cv2.utils.logging.setLogLevel(level)
    raise DeitError("OpenCV has no encoder for MP4 on this machine; save the film as a GIF.")


def _opens(code: int) -> bool:
    with TemporaryDirectory() as folder:
        writer = cv2.VideoWriter(str(Path(folder) / "probe.mp4"), code, float(_FRAME_RATE), (128, 128))
        opened = writer.isOpened()
        writer.release()
    return opened


def _shared_palette(frames: Sequence[Picture]) -> Image.Image:
    height, width = frames[0].shape[:2]
    step = math.ceil(math.sqrt(len(frames) * height * width / _PALETTE_PIXELS))
    montage = np.concatenate([frame[::step, ::step] for frame in frames])
    return Image.fromarray(montage).quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _check(frames: Sequence[Picture], frame_s: float) -> None:
    if not frames:
        raise DeitError("There is no frame to film; pass at least one picture.")
    for frame in frames:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[-1] != 3 or frame.size == 0:
            raise DeitError(
                f"A frame must be (H, W, 3) uint8, not {frame.shape} {frame.dtype}; overlay makes such frames."
            )
        if frame.shape != frames[0].shape:
            raise DeitError(
                f"All frames must have one size, but there are {frames[0].shape} and {frame.shape}; draw them alike."
            )
    if not 0.02 <= frame_s <= 60:
        raise DeitError(f"frame_s must lie in [0.02, 60] seconds, not {frame_s}.")
