"""Runs groups by chains: a chain's groups one after the other, chains side by side, results in order of the video."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any

from nvcodec.codecs.base import GroupPayload
from nvcodec.engines.engine import Engine, OnStatus
from nvcodec.engines.job import GroupJob
from nvcodec.engines.spool import MEMORY_MIB, Kept, Spool
from nvcodec.fitting.fit import FitStatus


@dataclass
class Task:
    """A group to be coded. The first task starts a chain whether it is ``key`` or not."""

    job: GroupJob
    key: bool = True  # needs no group before it; otherwise it waits for that group's state
    tag: Any = None  # whatever the caller wants back


TaskStatus = Callable[[Task, FitStatus], None]  # the task without frames, where there are several slots


def run_chains(
    tasks: Iterable[Task], engine: Engine, on_status: TaskStatus | None = None, memory_mib: float = MEMORY_MIB
) -> Iterator[tuple[Task, GroupPayload]]:
    """Code the tasks and yield them in their order, each with its payload.

    A task that is no key runs with the state of the one before it, unless its job names a ``previous`` of its own.

    An engine with one slot reads a task, runs it, and yields it with its job as it was run, before the next is read:
    the caller may decide the next one by the result. With more slots, tasks are read ahead to keep them busy, at most
    to the end of a chain and over ``slots + 1`` chains, and come back without their frames. Frames that wait take
    ``memory_mib`` MiB of memory at most, the rest lies in temporary files.

    What a job or the reading of tasks raises comes out at its turn, after all earlier results. Then, or when the
    generator is closed, all else is cancelled. ``on_status`` may be called from another thread.
    """
    run = _Run(iter(tasks), engine, on_status, Spool(memory_mib))
    try:
        while run.step():
            while run.entries and run.entries[0].done:
                entry = run.entries.popleft()
                yield entry.task, entry.result()
                run.fill()
    finally:
        run.cancel()


@dataclass(eq=False)
class _Entry:
    """A task that was read and not yet yielded."""

    number: int
    task: Task
    chain: int
    before: _Entry | None  # of its chain, until it starts
    kept: Kept | None = None
    future: Future[GroupPayload] | None = None

    @property
    def done(self) -> bool:
        return self.future is not None and self.future.done()

    @property
    def failed(self) -> bool:
        if self.future is None or not self.future.done():
            return False
        return self.future.cancelled() or self.future.exception() is not None

    @property
    def ready(self) -> bool:
        """Whether it can start."""
        return self.future is None and (self.before is None or (self.before.done and not self.before.failed))

    def result(self) -> GroupPayload:
        assert self.future is not None
        return self.future.result()


@dataclass(eq=False)
class _Run:
    """One call of :func:`run_chains`."""

    tasks: Iterator[Task]
    engine: Engine
    on_status: TaskStatus | None
    spool: Spool
    entries: deque[_Entry] = field(default_factory=deque)
    last: _Entry | None = None  # read
    ended: bool = False  # there is nothing more to read

    def step(self) -> bool:
        """Go on until the first entry is done; False where there is none."""
        self.fill()
        while self.entries and not self.entries[0].done:
            wait(self._running(), return_when=FIRST_COMPLETED)
            self.fill()
        return bool(self.entries)

    def fill(self) -> None:
        """Start what can be started, the earliest first; read on where slots are left."""
        while len(self._running()) < self.engine.slots:
            entry = self._next()
            if entry is not None:
                self._start(entry)
            elif (self.entries and self.entries[0].done) or not self._may_read() or not self._read():
                return  # what is done is yielded before more is read: a source may be slow

    def cancel(self) -> None:
        """Drop all that is left."""
        for entry in reversed(self.entries):  # the last first, so that none takes a slot that gets free
            if entry.kept is not None:
                entry.kept.free()
            if entry.future is not None:
                entry.future.cancel()
        self.entries.clear()

    def _running(self) -> list[Future[GroupPayload]]:
        return [e.future for e in self.entries if e.future is not None and not e.future.done()]

    def _next(self) -> _Entry | None:
        for entry in self.entries:
            if entry.failed:
                return None  # nothing after it will be wanted
            if entry.ready:
                return entry
        return None

    def _may_read(self) -> bool:
        if self.ended or any(entry.failed for entry in self.entries):
            return False
        if self.engine.slots == 1:
            return not self.entries
        return len({entry.chain for entry in self.entries}) <= self.engine.slots

    def _read(self) -> bool:
        """Take one more task; False where there is none."""
        number = 0 if self.last is None else self.last.number + 1
        try:
            task = next(self.tasks, None)
            entry = None if task is None else self._entry(number, task)
            self.ended = entry is None
        except Exception as error:  # at its turn
            entry = _failure(number, error)
            self.ended = True
        if entry is not None:
            self.entries.append(entry)
            self.last = entry
        return entry is not None

    def _entry(self, number: int, task: Task) -> _Entry:
        if self.last is None or task.key:
            return _Entry(number, task, number, None)
        entry = _Entry(number, task, self.last.chain, self.last)
        if not entry.ready:
            entry.kept = self.spool.put(task.job.frames)
            entry.task = _bare(task)
        return entry

    def _start(self, entry: _Entry) -> None:
        job = entry.task.job
        if entry.kept is not None:
            job, entry.kept = replace(job, frames=entry.kept.take()), None
        if entry.before is not None and job.previous is None:
            job = replace(job, previous=entry.before.result().state)
        entry.before = None  # lets go of its payload
        entry.task = replace(entry.task, job=job)
        if self.engine.slots > 1:
            entry.task = _bare(entry.task)
        entry.future = self.engine.submit(job, self._reports_of(entry.task))

    def _reports_of(self, task: Task) -> OnStatus | None:
        told = self.on_status
        return None if told is None else lambda status: told(task, status)


def _bare(task: Task) -> Task:
    """Without frames, which would stay in memory."""
    return replace(task, job=replace(task.job, frames=[]))


def _failure(number: int, error: Exception) -> _Entry:
    """An entry that is done, and raises."""
    future: Future[GroupPayload] = Future()
    future.set_running_or_notify_cancel()
    future.set_exception(error)
    nothing: Any = None  # never yielded
    return _Entry(number, nothing, number, None, None, future)
