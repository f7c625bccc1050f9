"""The ranks of a run: processes, one on each device, that share every batch and so make each step together.

Rank 0 leads: it tells the others what comes next. Knows torch.distributed and tensors; nothing of models, data, files,
or of how the processes are started (see leader.py).

    B images of a batch, b of them of one rank
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum

import torch
import torch.distributed as dist
from torch import Tensor

from deit_core.errors import LostRankError, SpecError
from deit_core.wording import counted


class Order(IntEnum):
    """What rank 0 tells the others to do with it. It tells no end: it parts from them."""

    STEP = 0
    SCORE = 1


class Ranks:
    """One rank among others. The only one of a run does nothing but what a run does without ranks.

    Where there are others, torch's process group must be there before the first order.

    Raises (each method that needs the others): LostRankError where one is gone.
    """

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank, self.world = rank, world

    @property
    def is_alone(self) -> bool:
        return self.world == 1

    def members(self, batch_size: int) -> Tensor:
        """Which images (b,) of a batch are this rank's: as many from its end as from its start.

        So two images that are mixed are on one rank: the first and the last, the second and the last but one.

        Raises: SpecError where a rank would have none.
        """
        front = torch.arange((batch_size + 1) // 2).tensor_split(self.world)[self.rank]
        if batch_size < 2 * self.world:
            raise SpecError(
                f"A batch of {batch_size} images cannot be shared by {self.world} devices, because each needs at least "
                f"two images; set optim.batch_size to {2 * self.world} or more, or compute.devices to less."
            )
        back = batch_size - 1 - front.flip(0)
        return torch.cat([front, back[back >= (batch_size + 1) // 2]])

    def part(self, num_images: int) -> slice:
        """Which images of a split this rank evaluates. Raises: SpecError where a rank would have none."""
        if num_images < self.world:
            raise SpecError(
                f"{counted(num_images, 'image')} cannot be shared by {self.world} devices; choose a larger "
                "data.val_fraction, or set compute.devices to less."
            )
        start, end = (num_images * place // self.world for place in (self.rank, self.rank + 1))
        return slice(start, end)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all ranks. They are of one type, on one device."""
        if self.is_alone:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with self._together():
            dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def totals(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """The sum of each number over all ranks, which all have the same names."""
        if self.is_alone:
            return dict(numbers)
        values = torch.tensor(list(numbers.values()), dtype=torch.float64)
        self.add_up([values])
        return dict(zip(numbers, values.tolist(), strict=True))

    def tell(self, order: Order) -> None:
        """Of rank 0: what the others do next. They say nothing when they do it."""
        if self.rank == 0 and not self.is_alone:
            self._broadcast(torch.tensor(int(order)))

    def hear(self) -> Order:
        """Of the others: what rank 0 tells them."""
        order = torch.tensor(0)
        self._broadcast(order)
        return Order(int(order))

    def meet(self) -> None:
        """Wait until all are here."""
        self.add_up([torch.zeros(1)])

    def _broadcast(self, number: Tensor) -> None:
        with self._together():
            dist.broadcast(number, src=0)

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise LostRankError(f"Another of the {self.world} processes of this run is gone ({error}).") from error


ALONE = Ranks()
