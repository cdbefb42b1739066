"""A worker process as its parent sees it, and those that replace it when it dies."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker

from nvcodec.codecs.base import GroupPayload
from nvcodec.codecs.registry import CODECS
from nvcodec.engines import worker as inside
from nvcodec.engines.work import Work

LAST_WORDS = 1.0  # seconds that what a worker has said, before it ended a job or died, may take to arrive


class Worker:
    """One process at a time, started with its first job."""

    def __init__(self, threads: int, device: str | None) -> None:
        self._threads, self._device = threads, device
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._past: list[_Process] = []  # asked to end, or dead
        self._closed = False

    def run(self, work: Work) -> Future[GroupPayload]:
        """Start a job. The future raises BrokenProcessPool when the process dies."""
        with self._lock:
            if self._closed:
                return _failed(CancelledError())
            try:
                return self._running().run(work)
            except BrokenProcessPool:  # it died between two jobs
                self._retire()
            except OSError as error:  # the system has no room for a process
                return _failed(error)
            return self._running().run(work)

    def hear(self) -> None:
        """After a job: wait for its last status, which comes another way than its result."""
        with self._lock:
            process = self._process
        if process is not None:
            process.hear()

    def end(self) -> None:
        """Let the process die at once; the next job gets another."""
        with self._lock:
            self._retire()

    def last_words(self) -> bool:
        """After a death: drop the process. Returns whether it ever was ready for work."""
        with self._lock:
            self._retire()
            process = self._past[-1]
        return process.wait_for_words()

    def close(self) -> None:
        """End for good; does not wait."""
        with self._lock:
            self._closed = True
            self._retire()

    def join(self) -> None:
        """Wait until all processes are gone."""
        for process in self._past:
            process.join()

    def _running(self) -> _Process:
        if self._process is None:
            self._process = _Process(self._threads, self._device)
        return self._process

    def _retire(self) -> None:
        if self._process is not None:
            self._process.end()
            self._past = [*(past for past in self._past if past.alive), self._process]
            self._process = None


class _Process:
    """An executor with one process, and a pipe to it: statuses come back, and whatever is sent ends it."""

    def __init__(self, threads: int, device: str | None) -> None:
        context = get_context("spawn")  # a fork would inherit torch's threads as locks that nobody opens
        self._link, self._inner = context.Pipe()
        self._device = device
        self._executor = ProcessPoolExecutor(1, context, inside.start, (self._inner, threads, device))
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._number = 0  # of the job
        self._work: Work | None = None
        self._ready = False
        self._heard = threading.Event()  # the last status of the job

    @property
    def alive(self) -> bool:
        return self._listener.is_alive()

    def run(self, work: Work) -> Future[GroupPayload]:
        self._number += 1
        self._work = work
        self._heard.clear()
        with _ctrl_c_held():
            future = self._executor.submit(inside.run, self._number, work.job, self._device, dict(CODECS))
        if not self._inner.closed:
            self._inner.close()  # then the process has the only one, and its end is the pipe's
            self._listener.start()
        return future

    def end(self) -> None:
        with suppress(OSError):
            self._link.send(None)

    def hear(self) -> None:
        """Wait for the job's last status, or for the process's end."""
        self._heard.wait(LAST_WORDS)

    def wait_for_words(self) -> bool:
        """Returns whether the process, which is dead, had been ready for work."""
        self._listener.join(LAST_WORDS)
        return self._ready

    def join(self) -> None:
        self._executor.shutdown(wait=True)

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                message = self._link.recv()
                self._ready = True
                work = self._work
                if message is None or work is None or message[0] != self._number:
                    continue
                if message[1] is None:
                    self._heard.set()
                else:
                    work.tell(message[1])
        self._heard.set()


@contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """A process that is started inside does not see Ctrl-C, not even before it can say that it ignores it."""
    resource_tracker.ensure_running()  # it lets signals in again where it has to be started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _failed(error: BaseException) -> Future[GroupPayload]:
    future: Future[GroupPayload] = Future()
    future.set_running_or_notify_cancel()
    future.set_exception(error)
    return future
