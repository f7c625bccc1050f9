"""Random numbers from counters: what is drawn depends on a seed, a count and a purpose, never on earlier draws.

So the step number alone fixes the state of a run, and a resumed run draws the same numbers. Knows no tensors: it gives
seeds, and each module draws with its own generator.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What is drawn. Two purposes with the same number would draw the same values; changing a number changes runs."""

    ORDER = 0  # of the images of an epoch
    CROP_AND_FLIP = 1
    INITIALISATION = 2
    DROPOUT = 3
    MIXING = 4
    RAND_AUGMENT = 5
    COLOUR_JITTER = 6
    ERASING = 7
    RESIZED_CROP = 8
    JITTER_ORDER = 9
    ERASING_NOISE = 10


def counter_seed(seed: int, count: int, purpose: Purpose, step: int = 0) -> int:
    """A seed for a random generator, well mixed.

    Args:
        seed: the run's.
        count: of epochs or steps, whichever the purpose draws for.
        step: within the epoch, counted from 0, where a purpose draws for each step of it; of dropout, the rank.
    """
    return int(np.random.SeedSequence((seed, count, purpose, step)).generate_state(1, np.uint64)[0] >> np.uint64(1))
