"""Keeps what the C library holds of freed memory small.

glibc gives each new thread one of 16 and more areas to allocate from, and what is freed in one is not used for another.
Streamlit draws each page in a new thread, so free pieces grow in all of them. And once a large block has been freed,
glibc takes blocks of up to that size from its areas too, where they leave holes. Knows the C library; nothing of pages.
"""

import ctypes

# Names and numbers of glibc's malloc.h.
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8

_NUM_AREAS = 2  # of a process whose threads take turns
_LARGE_BLOCK = 2**20  # bytes; of the system's own pages each, which it gets back as soon as they are free


def keep_little_free() -> bool:
    """Let all threads that start from now on share two areas, and large blocks stand outside them.

    False where the C library has no such settings.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(_ARENA_MAX, _NUM_AREAS) == 1, mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK) == 1])
