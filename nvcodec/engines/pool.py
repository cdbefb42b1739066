"""Jobs in processes of this machine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from nvcodec.codecs.base import GroupPayload
from nvcodec.engines.engine import Closing, OnStatus
from nvcodec.engines.job import GroupJob
from nvcodec.engines.process import Worker
from nvcodec.engines.work import Work
from nvcodec.errors import WorkerError

DEATHS = 3  # of workers under one job, until it is given up


class PoolEngine(Closing):
    """``workers`` processes, started when they are first needed. A worker that dies is replaced, its job runs again.

    Each has ``threads`` torch threads and one of ``devices`` in turn; without any, jobs say the device themselves.
    Workers are fresh interpreters that import the caller's main module: a script keeps its own calls under
    ``if __name__ == "__main__":``. Each has an executor of its own, so that a death is one job's only.
    """

    def __init__(self, workers: int, threads: int = 1, devices: Sequence[str] = ()) -> None:
        self.slots = workers
        self._lock = threading.Lock()
        self._workers = [Worker(threads, devices[i % len(devices)] if devices else None) for i in range(workers)]
        self._idle = self._workers[::-1]  # the last is taken first: one that runs already
        self._running: dict[Worker, Work] = {}
        self._waiting: deque[Work] = deque()
        self._closed = False

    def submit(self, job: GroupJob, on_status: OnStatus | None = None) -> Future[GroupPayload]:
        work = Work(job, on_status)
        with self._lock:
            if self._closed:
                raise RuntimeError("the engine is closed")
            self._waiting.append(work)
        work.future.add_done_callback(partial(self._settled, work))
        self._dispatch()
        return work.future

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = [*self._waiting, *self._running.values()]
            self._waiting.clear()
        for worker in self._workers:
            worker.close()
        for work in left:
            work.cancel()
        for worker in self._workers:
            worker.join()

    def _dispatch(self) -> None:
        while (pair := self._pair()) is not None:
            worker, work = pair
            future = worker.run(work)
            if work.future.done():  # cancelled on the way, when nobody knew of the worker
                worker.end()
            future.add_done_callback(partial(self._done, worker, work))

    def _pair(self) -> tuple[Worker, Work] | None:
        """A worker for a job that waits, if there are both."""
        with self._lock:
            while self._idle and self._waiting:
                work = self._waiting.popleft()
                if not work.future.done():
                    worker = self._idle.pop()
                    self._running[worker] = work
                    return worker, work
            return None

    def _settled(self, work: Work, _: Future[GroupPayload]) -> None:
        """If it still runs, it was cancelled, or failed by its listener: its worker has better things to do."""
        with self._lock:
            workers = [worker for worker, running in self._running.items() if running is work]
        for worker in workers:
            worker.end()
        work.cancel()

    def _done(self, worker: Worker, work: Work, future: Future[GroupPayload]) -> None:
        """A worker's job is over, well or not, or the worker is."""
        outcome = _outcome(future)
        died = isinstance(outcome, BrokenProcessPool)
        ready = worker.last_words() if died else True
        if not died:
            worker.hear()
        with self._lock:
            del self._running[worker]
            self._idle.append(worker)
            work.deaths += died
            again = died and work.deaths < DEATHS and not self._closed
            if again:
                self._waiting.appendleft(work)
            closed = self._closed
        if died and not again:
            outcome = _given_up(ready)
        if closed:
            work.cancel()
        elif not again:
            work.settle(outcome)
        self._dispatch()


def _outcome(future: Future[GroupPayload]) -> GroupPayload | BaseException:
    if future.cancelled():
        return CancelledError()
    return future.exception() or future.result()


def _given_up(ready: bool) -> WorkerError:
    if not ready:
        return WorkerError("workers cannot start (does the script call under: if __name__ == '__main__'?)")
    return WorkerError(f"a group was given up: its worker was killed {DEATHS} times (out of memory?)")
