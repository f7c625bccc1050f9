"""Every draw has a seed of its own, and the seeds stay what they are: a run that resumes would go another way."""

from itertools import product

import pytest

from deit_core.randomness import Purpose, counter_seed


def test_no_two_counters_have_one_seed() -> None:
    counters = list(product(range(3), range(3), Purpose, range(3)))
    assert len({counter_seed(*counter) for counter in counters}) == len(counters)


@pytest.mark.parametrize(
    ("counter", "seed"),
    [
        ((42, 7, Purpose.ORDER), 5236832352017723729),
        ((42, 7, Purpose.DROPOUT), 8545672181732416458),
        ((42, 7, Purpose.JITTER_ORDER, 5), 2361103864435419972),
    ],
)
def test_a_seed_stays_what_it_was(counter: tuple[int, int, Purpose], seed: int) -> None:
    """Printed by commit 792179b."""
    assert counter_seed(*counter) == seed


def test_the_numbers_stay() -> None:
    assert list(Purpose) == list(range(11))
    assert (Purpose.CROP_AND_FLIP, Purpose.INITIALISATION, Purpose.DROPOUT, Purpose.MIXING) == (1, 2, 3, 4)
