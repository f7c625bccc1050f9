"""Images in files that are read when they are needed, on all cores.

Threads read them, since decoding and resizing release Python's lock. Threads share the memory, end with the process,
and were as fast as a DataLoader's processes (docs/decisions.md). Knows files; nothing of splits, views or batches.

    N images, B batch, C channels, S img_size
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deit_core.catalog.pixel_versions import NEWEST_PIXELS, PixelVersion
from deit_core.data.sources.decoding import TooLargeError, read_image
from deit_core.data.sources.grey_levels import GreyLevelsError
from deit_core.errors import DataError
from deit_core.image_folders import unreadable
from deit_core.machine.limits import num_cores

_MOST_AHEAD = 512  # images
_MOST_AT_ONCE = 8  # images for one thread, which takes less of Python's time than one each

Item = TypeVar("Item")
Result = TypeVar("Result")


class FolderImages:
    """Acts like an array of uint8 images (N, C, S, S); indexing reads the files."""

    def __init__(
        self, files: Sequence[Path], img_size: int, in_chans: int, version: PixelVersion = NEWEST_PIXELS
    ) -> None:
        self.files, self._img_size, self._in_chans, self._version = tuple(files), img_size, in_chans, version

    def __len__(self) -> int:
        return len(self.files)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self._in_chans, self._img_size, self._img_size

    def __getitem__(self, positions: Any) -> NDArray[np.uint8]:
        """Raises: DataError with the name of a file that cannot be read."""
        chosen = np.arange(len(self))[positions]
        if chosen.ndim == 0:
            return self._read(self.files[int(chosen)])
        return next(self.read_ahead([chosen])).numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        return self[:]

    def take(self, positions: NDArray[np.int64]) -> "FolderImages":
        """Some of the images; reads none of them."""
        return FolderImages(
            [self.files[position] for position in positions], self._img_size, self._in_chans, self._version
        )

    def read_ahead(
        self, batches: Sequence[NDArray[np.int64]], *, padding: int = 0, pinned: bool = False
    ) -> Iterator[Tensor]:
        """The images at each batch of positions (B,), uint8 (B, C, S + 2 padding, S + 2 padding) with black around
        them; those of the next one are read meanwhile.

        Args: pinned: in memory that a GPU can copy from by itself.
        Raises: DataError with the name of a file that cannot be read.
        """
        side = self._img_size + 2 * padding
        largest = max(map(len, batches), default=0)
        at_once = min(_MOST_AT_ONCE, max(1, largest // (4 * num_cores())))

        def pieces() -> Iterator[_Piece]:
            for batch in batches:
                whole = torch.zeros(len(batch), self._in_chans, side, side, dtype=torch.uint8, pin_memory=pinned)
                images = whole.numpy()[:, :, padding : side - padding, padding : side - padding]
                starts = range(0, len(batch), at_once) or [0]
                for start in starts:
                    members = slice(start, start + at_once)
                    files = [self.files[position] for position in batch[members]]
                    yield _Piece(files, images[members], whole if start == starts[-1] else None)

        for whole in map_ahead(self._fill, pieces(), ahead=min(largest, _MOST_AHEAD) // at_once):
            if whole is not None:
                yield whole

    def _fill(self, piece: "_Piece") -> Tensor | None:
        for file, image in zip(piece.files, piece.images, strict=True):
            read = self._read(file)
            if read.strides[0] == 1:  # each pixel's channels lie together
                cv2.split(read.transpose(1, 2, 0), list(image))
            else:
                image[:] = read
        return piece.completes

    def _read(self, file: Path) -> NDArray[np.uint8]:
        try:
            content = file.read_bytes()
            return read_image(content, img_size=self._img_size, in_chans=self._in_chans, version=self._version)
        except OSError as error:
            raise unreadable(file, error) from None
        except (GreyLevelsError, TooLargeError) as error:
            raise DataError(f"{file}: {error} Or set data.corrupt_images to skip.") from None
        except DataError:
            raise DataError(
                f"{file} is damaged, or not an image; replace or remove it, or set data.corrupt_images to skip."
            ) from None


class _Piece(NamedTuple):
    """Files that one thread reads into images (M, C, S, S), and the batch that is complete after the last of them."""

    files: Sequence[Path]
    images: NDArray[np.uint8]
    completes: Tensor | None


def map_ahead(call: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Results of a call in the order of the items; up to `ahead` items are computed before they are needed."""
    waiting: deque[Future[Result]] = deque()
    cv2.setNumThreads(1)  # each call has a thread already
    threads = ThreadPoolExecutor(num_cores())
    try:
        for item in items:
            waiting.append(threads.submit(call, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # also where the rest is not needed
        threads.shutdown(cancel_futures=True)
