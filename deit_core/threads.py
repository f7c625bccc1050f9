"""How many threads a training gets, and how they wait for each other. Loads no torch: both must be settled before."""

import os
import sys


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def spin_briefly() -> None:
    """Let OpenMP's threads spin only briefly while they wait for each other. Call it before torch is loaded.

    Where anything else needs a core, a browser say, long spinning makes training several times slower: the thread that
    waits holds the core that the one it waits for needs. Measured in docs/performance.md.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
