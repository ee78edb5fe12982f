"""The same work for every image, several at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
_MOST_THREADS = 8
_WAITING_PER_THREAD = 8


def map_images(
    work: Callable[[int], Result],
    count: int,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """``work(0) … work(count - 1)`` in their order; decoding releases Python's lock, so threads do help.

    Args:
        work: called with an image's number, in any thread.
        threads: how many work at once; null takes one per processor that this process may use, at most 8.
        progress: called in this thread with (done, count).

    Raises:
        Whatever ``work`` raises for the first image that fails; images not yet begun are left alone.

    >>> map_images(lambda number: number * 2, 3, threads=2)
    [0, 2, 4]
    """
    asked = min(_MOST_THREADS, _processors()) if threads is None else max(1, threads)
    results: list[Result] = []
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(asked, thread_name_prefix="images") as pool:
        try:
            for number in range(count):
                waiting.append(pool.submit(work, number))
                # a short queue: a million futures would be a million objects
                if len(waiting) >= asked * _WAITING_PER_THREAD:
                    results.append(waiting.popleft().result())
                    if progress is not None:
                        progress(len(results), count)
            while waiting:
                results.append(waiting.popleft().result())
                if progress is not None:
                    progress(len(results), count)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
    return results


def _processors() -> int:
    """How many this process may use; not every system can tell, then all there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
