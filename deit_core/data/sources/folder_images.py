"""Images in files that are read when they are needed, on all cores.

Threads read them, since decoding and resizing release Python's lock. Threads share the memory, end with the process,
and were as fast as a DataLoader's processes (docs/decisions.md). Knows files; nothing of splits, views or batches.

    N images, B batch, C channels, S img_size
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deit_core.data.sources.decoding import MAX_PIXELS, decode_image, fit_image
from deit_core.data.sources.grey_levels import GreyLevelsError
from deit_core.errors import DataError
from deit_core.image_folders import unreadable
from deit_core.machine.limits import num_cores

_MOST_AHEAD = 512  # images

Item = TypeVar("Item")
Result = TypeVar("Result")


class FolderImages:
    """Acts like an array of uint8 images (N, C, S, S); indexing reads the files."""

    def __init__(self, files: Sequence[Path], img_size: int, in_chans: int) -> None:
        self._files, self._img_size, self._in_chans = tuple(files), img_size, in_chans

    def __len__(self) -> int:
        return len(self._files)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self._in_chans, self._img_size, self._img_size

    def __getitem__(self, positions: Any) -> NDArray[np.uint8]:
        """Raises: DataError with the name of a file that cannot be read."""
        chosen = np.arange(len(self))[positions]
        if chosen.ndim == 0:
            return self._read(int(chosen))
        return next(self.read_ahead([chosen]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        return self[:]

    def take(self, positions: NDArray[np.int64]) -> "FolderImages":
        """Some of the images; reads none of them."""
        return FolderImages([self._files[position] for position in positions], self._img_size, self._in_chans)

    def read_ahead(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[NDArray[np.uint8]]:
        """The images (B, C, S, S) at each batch of positions (B,); those of the next one are read meanwhile.

        Raises: DataError with the name of a file that cannot be read.
        """
        ahead = min(max(map(len, batches), default=0), _MOST_AHEAD)
        images = map_ahead(self._read, (int(position) for batch in batches for position in batch), ahead)
        for batch in batches:
            read = np.empty((len(batch), *self.shape[1:]), np.uint8)
            for row in read:
                row[:] = next(images)
            yield read

    def _read(self, position: int) -> NDArray[np.uint8]:
        file = self._files[position]
        try:
            return fit_image(decode_image(file.read_bytes()), img_size=self._img_size, in_chans=self._in_chans)
        except OSError as error:
            raise unreadable(file, error) from None
        except GreyLevelsError as error:
            raise DataError(f"{file}: {error} Or set data.corrupt_images to skip.") from None
        except DataError:
            raise DataError(
                f"{file} is damaged, or not an image of at most {MAX_PIXELS // 1_000_000} million pixels; replace or "
                "remove it, or set data.corrupt_images to skip."
            ) from None


def map_ahead(call: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Results of a call in the order of the items; up to `ahead` items are computed before they are needed."""
    waiting: deque[Future[Result]] = deque()
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
