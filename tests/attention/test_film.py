"""Films are read back: every frame, in order, in its own colours, for as long as was asked."""

import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from deit_core.attention import overlay
from deit_core.attention.drawing.film import encode_gif, encode_mp4
from deit_core.attention.overlay import Picture

HEIGHT, WIDTH = 48, 64


def frames_of(count: int, height: int = HEIGHT, width: int = WIDTH) -> list[Picture]:
    """Maps over one picture, whose hot patch wanders from frame to frame."""
    image = np.add.outer(np.arange(height), np.arange(width))[..., None] * np.array([1, 1, 0]) % 200
    frames = []
    for index in range(count):
        map = np.full((3, 4), 0.02)
        map.flat[index % 12] = 0.5
        frames.append(overlay(image.astype(np.uint8), map, vmax=6))
    return frames


def read_gif(file: bytes) -> tuple[list[np.ndarray], list[int]]:
    with Image.open(BytesIO(file)) as gif:
        assert gif.format == "GIF"
        pages = [(np.asarray(page.convert("RGB")), page.info["duration"]) for page in ImageSequence.Iterator(gif)]
    pictures, durations = zip(*pages, strict=True)
    return list(pictures), list(durations)


def read_mp4(file: bytes, folder: Path) -> tuple[list[np.ndarray], float]:
    """The frames, and how many a second."""
    path = folder / "read.mp4"
    path.write_bytes(file)
    capture = cv2.VideoCapture(str(path))
    rate, pictures = capture.get(cv2.CAP_PROP_FPS), []
    while (read := capture.read())[0]:
        pictures.append(read[1][..., ::-1].copy())
    capture.release()
    return pictures, rate


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_gif_shows_every_frame_in_order_and_loops() -> None:
    frames = frames_of(6)
    file = encode_gif(frames, frame_s=0.25)
    pictures, durations = read_gif(file)
    assert [picture.shape for picture in pictures] == [(HEIGHT, WIDTH, 3)] * 6
    for index, picture in enumerate(pictures):
        distances = [difference(picture, frame) for frame in frames]
        assert np.argmin(distances) == index
        assert distances[index] < 3
    assert durations == [250] * 5 + [1000]
    with Image.open(BytesIO(file)) as gif:
        assert gif.info["loop"] == 0


def test_gif_keeps_few_colours_exactly() -> None:
    frames = [np.full((8, 8, 3), (20 * index, 250 - 20 * index, 90), np.uint8) for index in range(12)]
    pictures, _ = read_gif(encode_gif(frames, frame_s=0.1))
    assert all(np.array_equal(picture, frame) for picture, frame in zip(pictures, frames, strict=True))


def test_gif_colours_do_not_flicker() -> None:
    """What stands still keeps its very colour, although the rest changes and there are too many colours."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 16, 60, 3), dtype=np.uint8)
    still = np.random.default_rng(1).integers(0, 256, (16, 60, 3), dtype=np.uint8)
    pictures, _ = read_gif(encode_gif([np.concatenate([still, moving]) for moving in noise], frame_s=0.1))
    assert len(pictures) == 20
    for picture in pictures:
        assert np.array_equal(picture[:16], pictures[0][:16])
    assert len(np.unique(np.concatenate(pictures).reshape(-1, 3), axis=0)) <= 256


def test_gif_palette_serves_colours_of_any_frame() -> None:
    """A colour of the last frame alone is there too, in a film that is only sampled for its palette."""
    frames = [np.full((400, 400, 3), 10 + index, np.uint8) for index in range(11)]
    frames.append(np.full((400, 400, 3), (250, 0, 200), np.uint8))
    pictures, _ = read_gif(encode_gif(frames, frame_s=0.1))
    assert np.abs(pictures[-1].astype(int) - (250, 0, 200)).max() <= 2


def test_gif_merges_equal_neighbours_but_not_their_time() -> None:
    one, other = frames_of(2)
    pictures, durations = read_gif(encode_gif([one, one, other, other], frame_s=0.1))
    assert len(pictures) == len(durations) == 2
    assert durations == [200, 500]


@pytest.mark.parametrize("encode", [encode_gif, encode_mp4])
def test_one_frame_is_a_film_too(encode: Callable[..., bytes], tmp_path: Path) -> None:
    file = encode(frames_of(1), frame_s=0.5)
    pictures = read_gif(file)[0] if encode is encode_gif else read_mp4(file, tmp_path)[0]
    assert difference(pictures[0], frames_of(1)[0]) < 5


@pytest.mark.parametrize("frame_s", [0.05, 0.3, 0.5, 2.0])
def test_mp4_shows_every_frame_in_order_for_its_time(frame_s: float, tmp_path: Path) -> None:
    frames = frames_of(5)
    pictures, rate = read_mp4(encode_mp4(frames, frame_s=frame_s), tmp_path)
    assert rate >= 9.9
    assert len(pictures) / rate == pytest.approx(5 * frame_s, rel=0.01)
    repeats = len(pictures) // len(frames)
    assert len(pictures) == repeats * len(frames)
    for index, picture in enumerate(pictures):
        distances = [difference(picture, frame) for frame in frames]
        assert np.argmin(distances) == index // repeats
        assert min(distances) < 8


def test_mp4_is_mp4_and_keeps_colours(tmp_path: Path) -> None:
    colours = [(230, 30, 30), (30, 200, 30), (40, 40, 220), (128, 128, 128)]
    file = encode_mp4([np.full((64, 96, 3), colour, np.uint8) for colour in colours], frame_s=0.2)
    assert file[4:8] == b"ftyp"
    pictures, _ = read_mp4(file, tmp_path)
    for colour, picture in zip(colours, pictures[::2], strict=True):
        assert np.abs(picture.astype(int) - colour).max() <= 12


def test_mp4_pads_odd_sizes_with_the_last_pixels(tmp_path: Path) -> None:
    frame = np.full((33, 47, 3), (40, 160, 90), np.uint8)
    (picture, *_), _ = read_mp4(encode_mp4([frame], frame_s=0.1), tmp_path)
    assert picture.shape == (34, 48, 3)
    assert np.abs(picture.astype(int) - (40, 160, 90)).max() <= 12


WITHOUT_ENCODER = """
import cv2
import numpy as np

class Writer:
    fourcc = cv2.VideoWriter.fourcc
    def __init__(self, *_): pass
    def isOpened(self): return False
    def release(self): pass

cv2.VideoWriter = Writer
from deit_core.attention.drawing.film import encode_mp4
encode_mp4([np.zeros((48, 64, 3), np.uint8)], frame_s=0.5)
"""


def test_without_an_encoder_it_says_to_use_a_gif() -> None:
    """In a process of its own, since it is remembered which encoder there is."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_ENCODER], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("OpenCV has no encoder for MP4 on this machine; save the film as a GIF.\n")


def test_a_picture_too_wide_for_an_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot encode an MP4 of 70000 x 2 pixels here; save the film as a GIF"):
        encode_mp4([np.zeros((2, 70_000, 3), np.uint8)], frame_s=0.5)


@pytest.mark.parametrize("encode", [encode_gif, encode_mp4])
@pytest.mark.parametrize(
    ("frames", "frame_s", "says"),
    [
        ([], 0.5, "There is no frame to film"),
        (
            [*frames_of(1), frames_of(1)[0][:40]],
            0.5,
            "All frames must have one size, but there are (48, 64, 3) and (40",
        ),
        ([frames_of(1)[0][..., 0]], 0.5, "A frame must be (H, W, 3) uint8, not (48, 64) uint8"),
        ([frames_of(1)[0] / 255], 0.5, "not (48, 64, 3) float64"),
        (frames_of(1), 0.01, "frame_s must lie in [0.02, 60] seconds, not 0.01"),
        (frames_of(1), float("nan"), "frame_s must lie in [0.02, 60] seconds, not nan"),
    ],
)
def test_a_wrong_argument_is_named(
    encode: Callable[..., bytes], frames: list[Picture], frame_s: float, says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        encode(frames, frame_s=frame_s)
    assert str(caught.value).endswith(".")
