"""How the threads of a training wait for each other. Loads no torch, which must find it settled."""

import os


def spin_briefly() -> None:
    """Let OpenMP's threads spin only briefly while they wait for each other. Call it before torch is loaded.

    Where anything else needs a core, a browser say, long spinning makes training several times slower: the thread that
    waits holds the core that the one it waits for needs. Measured in docs/performance.md.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
