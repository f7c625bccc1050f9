"""Time and memory of one call, each size in a process of its own, with a limit of the processor's time.

The processes are forked from one that has imported everything and done nothing. Knows nothing of what is called.
"""

import gc
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import psutil

Prepare = Callable[[int, Path], Callable[[], object]]  # size and an empty folder -> what is measured

_LEAST_S, _MOST_CALLS = 0.2, 20  # of the calls that are timed
_LOOK_S = 0.2
_RESET = "5"  # of the peak to what is held now: proc(5), /proc/pid/clear_refs


class Cost(NamedTuple):
    """seconds: of the processor, one thread, the quickest call after the first. megabytes: most that the first held."""

    seconds: float
    megabytes: float


class Children:
    """Args: module: the one with what is measured; it is imported once."""

    def __init__(self, module: str) -> None:
        self._module, self._context = module, multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([module])

    def measure(self, name: str, size: int, limit_s: float) -> Cost | None:
        """The cost of the function `name`, a `Prepare`; None where preparing and calling exceed the limit.

        Raises: RuntimeError where it fails.
        """
        receiver, sender = self._context.Pipe(duplex=False)
        child = self._context.Process(target=_measure, args=(self._module, name, size, tempfile.gettempdir(), sender))
        child.start()
        sender.close()
        try:
            while not receiver.poll(_LOOK_S):
                if sum(psutil.Process(child.pid).cpu_times()[:2]) > limit_s:
                    return None
            cost: Cost = receiver.recv()
        except EOFError:
            raise RuntimeError(f"{name} failed at size {size:,}; its traceback stands above.") from None
        finally:
            child.kill()
            child.join()
        return cost


def _measure(module: str, name: str, size: int, home: str, results: Connection) -> None:
    import torch

    gc.freeze()  # what is imported is not what is measured
    torch.set_num_threads(1)
    prepare: Prepare = getattr(import_module(module), name)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        call = prepare(size, Path(folder))
        Path("/proc/self/clear_refs").write_text(_RESET)
        held = _memory("VmRSS")
        call()
        most = _memory("VmHWM")
        seconds = [_seconds_of(call)]
        while sum(seconds) < _LEAST_S and len(seconds) < _MOST_CALLS:
            seconds.append(_seconds_of(call))
        results.send(Cost(min(seconds), most - held))
        results.close()


def _seconds_of(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def _memory(name: str) -> float:
    """Megabytes of this process, by Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / 1e6
