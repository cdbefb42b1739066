"""A submitted job on its way through an engine: its future, its listener, and how often its worker died."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace

from nvcodec.codecs.base import GroupPayload
from nvcodec.engines.engine import OnStatus
from nvcodec.engines.job import GroupJob
from nvcodec.fitting.fit import FitStatus


class Work:
    """The future stays cancellable until it is settled, though the job runs."""

    def __init__(self, job: GroupJob, on_status: OnStatus | None) -> None:
        self.job = job
        self.future: Future[GroupPayload] = Future()
        self.deaths = 0
        self._on_status = on_status
        self._telling = threading.Lock()  # so that no status comes after the result
        self._settling = threading.Lock()
        self._settled = False

    def tell(self, status: FitStatus) -> None:
        """Call the listener unless the job is settled; what the listener raises, the job raises."""
        if self._on_status is None:
            return
        with self._telling:
            if self.future.done():
                return
            try:
                self._on_status(status)
                return
            except BaseException as error:
                failure = error
        self.settle(failure)

    def settle(self, outcome: GroupPayload | BaseException) -> None:
        """Finish the future, unless it is finished or cancelled already."""
        with self._telling:
            if not self._first():
                return
            if not self.future.set_running_or_notify_cancel():
                return
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)

    def cancel(self) -> None:
        """Cancel the future, unless it is finished already, and wake those who wait for it."""
        if self.future.cancel() and self._first():
            self.future.set_running_or_notify_cancel()

    def _first(self) -> bool:
        """Whether this is the first call; then lets go of the frames, as futures live on with their callbacks."""
        with self._settling:
            first, self._settled = not self._settled, True
        if first:
            self.job = replace(self.job, frames=[], previous=None)
        return first
