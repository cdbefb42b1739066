"""What runs jobs: here and now, in processes of this machine, or in a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from nvcodec.codecs.base import GroupPayload
from nvcodec.engines.job import GroupJob, run_in_process
from nvcodec.errors import UsageError
from nvcodec.fitting.fit import FitStatus

OnStatus = Callable[[FitStatus], None]
KINDS = ("local", "ray")


class Engine(Protocol):
    """Runs jobs, at most ``slots`` at once; the others wait. The bytes are the same from every engine."""

    slots: int

    def submit(self, job: GroupJob, on_status: OnStatus | None = None) -> Future[GroupPayload]:
        """Run the job, some time; ``on_status`` is called until it is done, maybe from another thread.

        The future raises what the job raised, and :class:`nvcodec.errors.WorkerError` where its worker kept dying. It
        can be cancelled while the job runs.
        """
        ...

    def close(self) -> None:
        """End all workers at once, whatever they do; unfinished jobs are cancelled. Twice is as good as once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Closing:
    """A context that closes at its end, for engines."""

    def close(self) -> None:
        """End all that runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class InProcessEngine(Closing):
    """Runs a job when it is submitted. What is no Exception (Ctrl-C) comes out of :meth:`submit` itself."""

    slots = 1

    def submit(self, job: GroupJob, on_status: OnStatus | None = None) -> Future[GroupPayload]:
        future: Future[GroupPayload] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(run_in_process(job, on_status))
        except Exception as error:
            future.set_exception(error)
        return future


def make_engine(
    kind: str = "local",
    workers: int = 1,
    threads: int = 1,
    devices: Sequence[str] = (),
    folder: Path | None = None,
) -> Engine:
    """An engine of ``KINDS``; "local" with one worker runs in this process.

    ``threads``: torch threads of a worker. ``devices``: taken in turn by the workers; empty: what each job says.
    ``folder``: keeps finished jobs, which are then not done again. Raises UsageError for what cannot be had.
    """
    if workers < 1 or threads < 1:
        raise UsageError(f"workers and threads are at least 1, not {workers} and {threads}")
    if kind not in KINDS:
        raise UsageError(f"no engine {kind!r}; there are: {', '.join(KINDS)}")
    engine: Engine
    if kind == "ray":
        from nvcodec.engines.ray_engine import RayEngine

        engine = RayEngine(workers, threads, devices)
    elif workers == 1:
        engine = InProcessEngine()
    else:
        from nvcodec.engines.pool import PoolEngine

        engine = PoolEngine(workers, threads, devices)
    if folder is None:
        return engine
    from nvcodec.engines.cache import CachedEngine, JobCache

    return CachedEngine(engine, JobCache(folder))
