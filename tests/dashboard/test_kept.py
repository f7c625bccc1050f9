"""What is kept in memory: the results used last, no more than a number and a size, and each made once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboard.pictures.kept import kept


def test_the_results_used_last_are_kept() -> None:
    made: list[int] = []

    @kept(2, 1000, lambda _: 1)
    def double(number: int) -> int:
        made.append(number)
        return 2 * number

    assert [double(number) for number in (1, 2, 1, 3, 1, 2)] == [2, 4, 2, 6, 2, 4]
    assert made == [1, 2, 3, 2], "of three only two are kept, and 2 was used before 1"


@pytest.mark.parametrize(("num_bytes", "times_made"), [(300, 3), (500, 3), (600, 6), (2000, 6)])
def test_no_more_bytes_are_kept_than_may_be(num_bytes: int, times_made: int) -> None:
    made: list[int] = []

    @kept(10, 1500, lambda _: num_bytes)
    def same(number: int) -> int:
        made.append(number)
        return number

    for _ in range(2):
        for number in range(3):
            same(number)
    assert len(made) == times_made


def test_the_last_argument_is_not_part_of_the_key() -> None:
    @kept(2, 1000, lambda _: 1)
    def made_of(key: str, what: list[int]) -> int:
        return sum(what)

    assert made_of("a", [1, 2]) == 3
    assert made_of("a", [9, 9]) == 3
    assert made_of("b", [9, 9]) == 18


def test_a_failure_is_not_kept() -> None:
    attempts: list[int] = []

    @kept(2, 1000, lambda _: 1)
    def fail_at_first(number: int) -> int:
        attempts.append(number)
        if len(attempts) == 1:
            raise ValueError("not yet")
        return number

    with pytest.raises(ValueError, match="not yet"):
        fail_at_first(1)
    assert fail_at_first(1) == 1


def test_threads_that_ask_for_the_same_wait_for_the_first() -> None:
    made: list[int] = []
    begun, go = threading.Event(), threading.Event()

    @kept(2, 1000, lambda _: 1)
    def slowly(number: int) -> int:
        made.append(number)
        begun.set()
        go.wait(10)
        return number

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(slowly, 7)
        assert begun.wait(10)
        others = [pool.submit(slowly, 7) for _ in range(3)]
        go.set()
        assert [one.result(10) for one in (first, *others)] == [7] * 4
    assert made == [7]
