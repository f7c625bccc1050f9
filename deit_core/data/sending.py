"""Batches on their way to a device: a GPU gets the next one while it works on this one.

Knows tensors and streams; nothing of what they hold.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]
Item = TypeVar("Item")
Sent = TypeVar("Sent")


def on_device(batches: Iterable[Pair], device: torch.device) -> Iterator[Pair]:
    """The tensors of batches on a device. A GPU copies pinned ones by itself, on a stream of its own."""
    if device.type != "cuda":
        return ((first.to(device), second.to(device)) for first, second in batches)
    sender = _Sender(device)
    return one_ahead(batches, sender.send, sender.receive)


def one_ahead(items: Iterable[Item], send: Callable[[Item], Sent], receive: Callable[[Sent], Item]) -> Iterator[Item]:
    """Each item after it was sent and received; the next one is sent before this one is received."""
    sent: deque[Sent] = deque()
    for item in items:
        sent.append(send(item))
        if len(sent) > 1:
            yield receive(sent.popleft())
    while sent:
        yield receive(sent.popleft())


class _Sender:
    """Copies on a stream of its own, which the stream of the work waits for; the host waits for neither."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)

    def send(self, batch: Pair) -> tuple[Pair, torch.cuda.Event]:
        with torch.cuda.stream(self._stream):
            first, second = (
                (tensor if tensor.is_pinned() else tensor.pin_memory()).to(self._device, non_blocking=True)
                for tensor in batch
            )
            return (first, second), self._stream.record_event()

    def receive(self, sent: tuple[Pair, torch.cuda.Event]) -> Pair:
        batch, is_copied = sent
        work = torch.cuda.current_stream(self._device)
        work.wait_event(is_copied)
        for tensor in batch:
            tensor.record_stream(work)  # so that its memory is not given to the next copy before the work is done
        return batch
