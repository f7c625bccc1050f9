"""Where the server's threads allocate, counted by the C library itself."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")

LIBRARY = """
import ctypes, sys, threading
from dashboard.server.allocator import keep_little_free

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
if "little" in sys.argv:
    assert keep_little_free()
"""

AREAS = """
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

LARGE_BLOCKS = """
class Info(ctypes.Structure):
    _fields_ = [("others", ctypes.c_size_t * 4), ("hblkhd", ctypes.c_size_t), ("more", ctypes.c_size_t * 5)]

libc.mallinfo2.restype = Info
libc.free(ctypes.c_void_p(libc.malloc(ctypes.c_size_t(20_000_000))))
before = libc.mallinfo2().hblkhd
for _ in range(5):
    libc.malloc(ctypes.c_size_t(2_000_000))
print(libc.mallinfo2().hblkhd - before)
"""


def printed(program: str, *args: str) -> str:
    command = [sys.executable, "-c", LIBRARY + program, *args]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_many_threads_share_two_areas() -> None:
    assert printed(AREAS).count("<heap ") > 2
    assert printed(AREAS, "little").count("<heap ") <= 2


def test_large_blocks_stand_outside_the_areas_even_after_a_larger_one_was_freed() -> None:
    assert int(printed(LARGE_BLOCKS)) == 0
    assert int(printed(LARGE_BLOCKS, "little")) > 5 * 2_000_000
