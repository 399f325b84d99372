"""Several things at once, but never many in memory.

results = ordered_map(function, items)       # in order

limit = Limit(10)                            # for all threads together
with limit.taking(3): ...
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from facenet_demo.system.interrupts import UNAWAITED

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(
    function: Callable[[T], R], items: Iterable[T], num_threads: int | None = None
) -> Iterator[R]:
    """Yield `function(item)` for each item, in order.

    Threads do: nearly all the time goes into Pillow, OpenCV and the network, which let go of
    Python's lock. Items are taken as results are asked for, at most two per thread ahead.

    Args:
        function: safe to call from several threads.
        items: may be endless.
        num_threads: by default one per core.
    """
    num_threads = num_threads or os.cpu_count() or 1
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix=UNAWAITED)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Limit:
    """So much of something, and no more, that all threads have together.

    Args:
        most: what there is of it. Who takes more than that alone waits until nobody has any.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._changed = threading.Condition()
        # First come, first served: many who take little would else never let one take much.
        self._turn = threading.Lock()

    @contextmanager
    def taking(self, amount: int) -> Iterator[None]:
        """Wait until there is so much left; it is given back at the end of the block."""
        with self._turn, self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + amount <= self.most)
            self._taken += amount
        try:
            yield
        finally:
            with self._changed:
                self._taken -= amount
                self._changed.notify_all()
