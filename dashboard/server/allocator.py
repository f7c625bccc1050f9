"""Keeps what the C library holds of freed memory small.

glibc gives each new thread one of 16 and more areas to allocate from, and what is freed in one is not used for another.
Streamlit draws each page in a new thread, so free pieces grow in all of them. Knows the C library; nothing of pages.
"""

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX in glibc's malloc.h
_NUM_AREAS = 2  # of a process whose threads take turns


def use_few_areas() -> bool:
    """Let all threads that start from now on share two areas. False where the C library has no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_ARENA_MAX, _NUM_AREAS) == 1
