"""Work that threads do ahead, in order and within bounds."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from jeos.core.ahead import in_order


@pytest.mark.parametrize("most", [0, 1, 5, 100])
def test_results_come_in_the_order_of_what_was_asked(most: int) -> None:
    assert list(in_order(range(50), lambda number: number * number, threads=3, most=most)) == [n * n for n in range(50)]


def test_no_more_is_asked_than_may_wait() -> None:
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(20):
            asked.append(number)
            yield number

    with closing(in_order(numbers(), str, threads=2, most=4)) as results:
        assert next(results) == "0"
        assert asked == list(range(5))
        assert next(results) == "1"
        assert asked == list(range(6))


def test_error_comes_in_its_place_and_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    taken: list[int] = []
    with pytest.raises(ValueError, match="three"):
        for number in in_order(range(1000), work, threads=1, most=2):
            taken.append(number)
    assert taken == [0, 1, 2]
    assert len(begun) < 10


def test_closing_waits_for_what_was_begun() -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work(number: int) -> int:
        if number == 1:
            begun.set()
            go.wait(60)
            ended.set()
        return number

    results = in_order(range(100), work, threads=1, most=3)
    assert next(results) == 0
    assert begun.wait(60)
    go.set()
    results.close()
    assert ended.is_set()
