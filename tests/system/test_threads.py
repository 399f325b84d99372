from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from facenet_demo.system.threads import Limit, ordered_map


def test_results_come_in_order_and_items_are_taken_as_they_are_asked_for() -> None:
    """Of what has no end at most two per thread are taken ahead."""
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    first_last = threading.Event()  # the first item is done after the second

    def work(item: int) -> int:
        if item == 1:
            assert first_last.wait(30)
        elif item == 2:
            first_last.set()
        return item * item

    results = ordered_map(work, endless(), num_threads=2)
    assert [next(results) for _ in range(3)] == [1, 4, 9]
    assert taken <= 3 + 2 * 2
    results.close()


def test_an_error_comes_in_its_place() -> None:
    results = ordered_map(lambda item: 6 // item, [3, 0, 2], num_threads=2)
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_threads_together_keep_a_limit() -> None:
    limit, lock, taken, most = Limit(10), threading.Lock(), 0, 0
    two = threading.Barrier(2)  # two are let in together

    def work() -> None:
        nonlocal taken, most
        with limit.taking(5):
            with lock:
                taken += 5
                most = max(most, taken)
            two.wait(30)
            with lock:
                taken -= 5

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 10


def test_what_is_more_than_the_limit_is_taken_alone() -> None:
    limit = Limit(10)
    with limit.taking(30):
        pass
    with limit.taking(10):
        pass
    with pytest.raises(RuntimeError), limit.taking(30):
        raise RuntimeError
    with limit.taking(30):
        pass
