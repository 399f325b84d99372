"""A function over many items, several at once, the results in order and never many in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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
    pool = ThreadPoolExecutor(num_threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
