"""Jobs as tasks of a Ray cluster: of one that runs already, or of one on this machine for as long as the engine."""

from __future__ import annotations

import copy
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import astuple
from functools import partial
from typing import Any

from nvcodec.codecs.base import GroupPayload
from nvcodec.codecs.registry import CODECS
from nvcodec.engines import worker as inside
from nvcodec.engines.board import Board
from nvcodec.engines.engine import Closing, OnStatus
from nvcodec.engines.job import GroupJob
from nvcodec.engines.work import Work
from nvcodec.errors import UsageError, WorkerError
from nvcodec.fitting.fit import FitStatus

RETRIES = 3  # of a job whose worker or machine dies
POLL_SECONDS = 0.5  # between two looks for statuses
CONNECT_SECONDS = 10.0


class RayEngine(Closing):
    """At most ``workers`` tasks at once, each with ``threads`` CPUs and its share of the GPUs among ``devices``.

    ``address`` is a cluster's, as ``ray.init`` takes it; else the variable RAY_ADDRESS or a cluster that this machine
    belongs to. Where there is none, or that says "local", one is started here, and ended with the engine. Machines of
    a cluster need this version of nvcodec. Raises UsageError where Ray is missing or the cluster cannot be reached.
    """

    def __init__(self, workers: int, threads: int = 1, devices: Sequence[str] = (), address: str | None = None) -> None:
        self.slots = workers
        gpus = sum(device.startswith("cuda") for device in devices)
        self._ray = _ray()
        self._ours = _connect(self._ray, address, workers * threads, gpus)
        largest = max((node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]), default=0)
        if largest < threads:  # Ray would wait for ever
            raise UsageError(
                f"no machine of the Ray cluster has {threads} CPUs, the largest has {largest:g}: --threads"
            )
        self._threads = threads
        self._device = ("cuda" if gpus else "cpu") if devices else None
        options: dict[str, Any] = {"num_cpus": threads, "num_gpus": min(1.0, gpus / workers), "max_retries": RETRIES}
        self._task = self._ray.remote(**options)(_run)
        self._board = self._ray.remote(num_cpus=0)(Board).remote()
        self._lock = threading.Lock()
        self._running: dict[int, tuple[Work, Any]] = {}
        self._count = 0
        self._closed = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def submit(self, job: GroupJob, on_status: OnStatus | None = None) -> Future[GroupPayload]:
        work = Work(job, on_status)
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("the engine is closed")
            self._count += 1
            number = self._count
            board = None if on_status is None else self._board
            reference = self._task.remote(number, job, self._threads, self._device, dict(CODECS), board)
            self._running[number] = work, reference
        reference.future().add_done_callback(partial(self._done, number))
        work.future.add_done_callback(partial(self._settled, number))
        return work.future

    def close(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            left = list(self._running.values())
        for work, _ in left:
            work.cancel()
        with suppress(Exception):  # a cluster that has gone
            self._ray.kill(self._board)
        if self._ours:
            self._ray.shutdown()

    def _settled(self, number: int, _: Future[GroupPayload]) -> None:
        """If its task still runs, the job was cancelled, or failed by its listener."""
        with self._lock:
            work, reference = self._running.get(number, (None, None))
        if work is not None:
            self._ray.cancel(reference, force=True)
            work.cancel()

    def _done(self, number: int, future: Future[GroupPayload]) -> None:
        with self._lock:
            work, _ = self._running.pop(number)
        error = future.exception()
        if error is None:
            work.settle(copy.deepcopy(future.result()))  # its arrays are windows into Ray's memory, read-only
        else:
            work.settle(self._plain(error))

    def _plain(self, error: BaseException) -> BaseException:
        """What the job raised, or what became of its worker, without Ray's wrapping."""
        if isinstance(error, self._ray.exceptions.RayTaskError):
            cause = getattr(error, "cause", None)
            return cause if isinstance(cause, BaseException) else error
        said = (str(error).strip().splitlines() or [""])[0]
        return WorkerError(f"a group was given up: its worker in the cluster died ({type(error).__name__}: {said})")

    def _listen(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            with suppress(self._ray.exceptions.RayError):  # statuses are worth no failure
                for number, values in self._ray.get(self._board.take.remote()).items():
                    work, _ = self._running.get(number, (None, None))
                    if work is not None:
                        work.tell(FitStatus(*values))


def _run(
    number: int, job: GroupJob, threads: int, device: str | None, codecs: inside.Codecs, board: Any
) -> GroupPayload:
    """The task."""
    CODECS.update(codecs)
    inside.set_up(threads)

    def tell(status: FitStatus) -> None:
        if board is not None:
            board.put.remote(number, astuple(status))

    own = copy.deepcopy(job)  # its arrays are windows into Ray's memory, read-only
    return inside.run_portable(inside.on_device(own, device), inside.Seldom(tell))


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError("engine ray needs Ray: pip install 'nvcodec[ray]'") from None
    return ray


def _connect(ray: Any, address: str | None, cpus: int, gpus: int) -> bool:
    """Join a cluster; returns whether it or the connection is the engine's own to end."""
    if ray.is_initialized():
        return False
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    given = address or os.environ.get("RAY_ADDRESS") or None
    if given is not None:
        _check_port(given)
    with _signals_kept():
        if given != "local":
            try:
                ray.init(address=given or "auto", **quiet)
                return True
            except (ConnectionError, ValueError, RuntimeError) as error:
                if given is not None:
                    said = str(error).strip().partition("\n")[0]
                    raise UsageError(f"no Ray cluster at {given}: {said}") from None
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=cpus, num_gpus=gpus, include_dashboard=False, **quiet)
    return True


def _check_port(address: str) -> None:
    """Ray itself tries for many minutes. Raises UsageError where nobody listens at HOST:PORT."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise UsageError(f"no Ray cluster at {address}: {error.strerror or error}") from None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; who called has its own ideas of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
