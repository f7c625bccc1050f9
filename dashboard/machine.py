"""How busy this machine is, in one line below the runs."""

import threading
import time

import psutil

from dashboard.state import settings, store
from deit_core.runs import workers_here

_SHORTEST_S = 2.0


def _idle_s() -> float:
    """Idle seconds of all cores together."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


class CoresInUse:
    """The number of cores in use by all programs since the last call.

    psutil's own `cpu_percent` remembers that for each thread, and every run of a page has a new one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at, self._idle_s, self._num_busy = time.monotonic(), _idle_s(), 0.0

    def __call__(self) -> float:
        with self._lock:
            now = time.monotonic()
            if now - self._at >= _SHORTEST_S:
                idle_s, cores = _idle_s(), psutil.cpu_count() or 1
                self._num_busy = max(0.0, cores - (idle_s - self._idle_s) / (now - self._at))
                self._at, self._idle_s = now, idle_s
            return self._num_busy


_cores_in_use = CoresInUse()  # counts from when the server loads its pages


def describe() -> str:
    memory = psutil.virtual_memory()
    return (
        f"{len(workers_here(store()))} of {settings().num_workers} workers busy, "
        f"{_cores_in_use():.1f} of {psutil.cpu_count() or 1} cores, "
        f"{(memory.total - memory.available) / 2**30:.1f} of {memory.total / 2**30:.1f} GiB memory in use"
    )
