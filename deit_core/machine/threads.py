"""How the threads of a training wait for each other. Loads no torch: this must be set before torch is loaded."""

import os


def spin_briefly() -> None:
    """Let OpenMP's threads spin only briefly while they wait for each other. Call it before torch is loaded.

    If another program, such as a browser, needs a core, long spinning makes training several times slower: the waiting
    thread occupies the core that the other thread needs. Measured in docs/performance.md.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
