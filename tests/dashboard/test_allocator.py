"""The areas from which the server's threads allocate, counted by the C library itself."""

import subprocess
import sys

import pytest

COUNT = """
import ctypes, sys, threading
from dashboard.server.allocator import use_few_areas

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
if "few" in sys.argv:
    assert use_few_areas()
barrier = threading.Barrier(8)

def allocate():
    barrier.wait()
    libc.malloc(ctypes.c_size_t(10_000))
    barrier.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_many_threads_share_two_areas() -> None:
    def num_areas(*args: str) -> int:
        command = [sys.executable, "-c", COUNT, *args]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.count("<heap ")

    assert num_areas() > 2
    assert num_areas("few") <= 2
