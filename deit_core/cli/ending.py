"""How a command that goes on for long is asked to end: once to finish what it does, twice to end at once."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from deit_core.cli import terminal


@contextmanager
def until_asked_to_end(sentence: str) -> Iterator[threading.Event]:
    """Gives what the first Ctrl-C or SIGTERM sets; the second raises KeyboardInterrupt.

    Args: sentence: printed at the first.
    """
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        terminal.say(sentence, file=sys.stderr)

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
