"""What runs inside a worker process: one job after the other, until the process that started it is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler

import torch

from nvcodec.codecs.base import GroupPayload
from nvcodec.codecs.registry import CODECS
from nvcodec.engines.job import GroupJob, run_in_process
from nvcodec.fitting.fit import FitStatus
from nvcodec.hardware import tune_allocator

STATUS_SECONDS = 0.2  # between two statuses of a worker
Codecs = dict[str, tuple[int, str]]

_link: Connection | None = None


def start(link: Connection, threads: int, device: str | None) -> None:
    """The first thing that a worker does. ``link``: statuses go out; anything that comes in, or its end, ends all."""
    global _link
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers in order
    _link = link
    threading.Thread(target=_end_with_parent, args=(link,), daemon=True).start()
    set_up(threads)
    if device is not None and device.startswith("cuda:"):
        torch.cuda.set_device(device)
    with suppress(OSError):
        link.send(None)  # up


def set_up(threads: int) -> None:
    """Threads and allocator of a worker."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for what is imported or started later
    torch.set_num_threads(threads)
    tune_allocator()


def _end_with_parent(link: Connection) -> None:
    parent = parent_process()
    wait([link] if parent is None else [link, parent.sentinel])
    os._exit(1)  # no tidying: a job may run for hours, and nothing here is worth keeping


def run(number: int, job: GroupJob, device: str | None, codecs: Codecs) -> GroupPayload:
    """Code a group; its statuses go out with ``number``, None as the last. ``codecs``: the parent's registered ones."""
    CODECS.update(codecs)

    def tell(status: FitStatus | None) -> None:
        assert _link is not None
        with suppress(OSError):  # the parent is gone, and so is this process soon
            _link.send((number, status))

    try:
        return run_portable(on_device(job, device), Seldom(tell))
    finally:
        tell(None)


def on_device(job: GroupJob, device: str | None) -> GroupJob:
    """The job on a device of the worker's, or where it says itself."""
    return job if device is None else replace(job, spec=replace(job.spec, device=device))


def run_portable(job: GroupJob, on_status: Callable[[FitStatus], None]) -> GroupPayload:
    """Code a group; what it raises survives the way to another process."""
    try:
        return run_in_process(job, on_status)
    except Exception as error:
        try:
            ForkingPickler.loads(ForkingPickler.dumps(error))
        except Exception:
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise


class Seldom:
    """Passes on the first of the statuses, and then one every ``STATUS_SECONDS`` at most."""

    def __init__(self, tell: Callable[[FitStatus], None]) -> None:
        self._tell = tell
        self._next = float("-inf")

    def __call__(self, status: FitStatus) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + STATUS_SECONDS
            self._tell(status)
