"""Batches come to a device in order, the next one already on its way."""

import torch

from deit_core.data.sending import on_device, one_ahead


def test_the_next_item_is_sent_before_one_is_received() -> None:
    happened: list[str] = []

    def send(item: int) -> int:
        happened.append(f"send {item}")
        return 10 * item

    def receive(sent: int) -> int:
        happened.append(f"receive {sent}")
        return sent // 10

    assert list(one_ahead(range(3), send, receive)) == [0, 1, 2]
    assert happened == ["send 0", "send 1", "receive 0", "send 2", "receive 10", "receive 20"]
    assert list(one_ahead([], send, receive)) == []


def test_a_cpu_keeps_what_it_has() -> None:
    batch = torch.zeros(2), torch.ones(2)
    (sent,) = on_device([batch], torch.device("cpu"))
    assert sent[0] is batch[0]
    assert sent[1] is batch[1]
