"""Work in threads whose results come in order; the heavy parts of decoding let go of Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
AHEAD = 3  # results for each worker that may be waited for or wait


def ordered(
    work: Iterable[tuple[int, Callable[[], Result]]], workers: int, at_once: int | None = None
) -> Iterator[Result]:
    """Results of ``work`` in order; each item is (weight, call). With one worker, calls are made here, one by one.

    Work is taken from the iterable in this thread, no further ahead than a weight of ``at_once`` (default: a few for
    each worker) or, where single items weigh more, one item for each worker. An exception comes out at its turn.
    """
    if workers == 1:
        yield from (call() for _, call in work)
        return
    most = AHEAD * workers if at_once is None else at_once
    pending: deque[tuple[int, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers, "nvcodec-decode") as pool:
        try:
            for weight, call in work:
                while pending and len(pending) >= workers and sum(w for w, _ in pending) + weight > most:
                    yield pending.popleft()[1].result()
                pending.append((weight, pool.submit(call)))
            while pending:
                yield pending.popleft()[1].result()
        finally:
            for _, future in pending:
                future.cancel()
