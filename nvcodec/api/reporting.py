"""What an encode says on its way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nvcodec.api.passthrough import PacketFeed
from nvcodec.api.settings import OnProgress, Progress
from nvcodec.codecs.base import GroupPayload
from nvcodec.container import Writer
from nvcodec.engines.schedule import Task
from nvcodec.fitting.fit import FitStatus

REPORT_EVERY = 0.2  # seconds between progress reports


@dataclass
class Reporter:
    """Turns the states of fits into :class:`Progress` of the whole."""

    on_progress: OnProgress | None
    started: float
    frames_total: int | None
    feed: PacketFeed
    frames_done: int = 0
    last: float = 0.0
    shown: int = 0  # frames, at the last report
    coded: int = 0  # frames, by this call
    psnr_sum: float = 0.0
    running: dict[int, float] = field(default_factory=dict)  # frames of groups that are being fitted
    lock: threading.Lock = field(default_factory=threading.Lock)

    def on_status(self, writer: Callable[[], Writer | None]) -> Callable[[Task, FitStatus], None] | None:
        """For :func:`nvcodec.engines.schedule.run_chains`; ``writer`` gives what holds the groups before."""
        if self.on_progress is None:
            return None
        return lambda task, status: self._fit_report(task, status, writer())

    def fitting(self, task: Task, writer: Writer | None) -> Callable[[FitStatus], None] | None:
        """For one job; ``writer`` holds the groups before it."""
        if self.on_progress is None:
            return None
        return lambda status: self._fit_report(task, status, writer)

    def _fit_report(self, task: Task, status: FitStatus, writer: Writer | None) -> None:
        frames = len(task.tag.pts)
        with self.lock:  # several workers' fits speak from their own threads
            self.running[id(task.tag)] = frames * status.progress
            if time.monotonic() - self.last < REPORT_EVERY:
                return
            self._report(
                self.frames_done + int(sum(self.running.values())),
                writer,
                status.progress,
                status.step,
                status.psnr or None,  # 0: not known yet
                self._predict(writer, status.bits / 8, frames),
            )

    def group_done(self, task: Task, payload: GroupPayload, writer: Writer) -> None:
        """Count a group that was written; the PSNR that is shown is the mean of all."""
        frames = len(task.tag.pts)
        with self.lock:
            self.running.pop(id(task.tag), None)
            self.frames_done += frames
            self.coded += frames
            self.psnr_sum += frames * payload.psnr
            mean = self.psnr_sum / self.coded
            self._report(self.frames_done, writer, 0.0, payload.steps, mean, self._predict(writer, 0, 0))

    def _report(
        self, done: int, writer: Writer | None, part: float, step: int, psnr: float | None, predicted: int | None
    ) -> None:
        self.last = time.monotonic()
        if self.on_progress is None:
            return
        done = self.shown = max(self.shown, done)  # a killed worker's group begins anew, which is nobody's business
        groups, written = (writer.group_count, writer.bytes_written) if writer else (0, 0)
        seconds = self.last - self.started
        self.on_progress(Progress(done, self.frames_total, groups, part, step, psnr, written, predicted, seconds))

    def _predict(self, writer: Writer | None, group_bytes: float, frames: int) -> int | None:
        """The whole file's size if what comes costs like what was."""
        total, known = self.frames_total, self.frames_done + frames
        if total is None or not known:
            return None
        coded = (writer.bytes_written - writer.passthrough_bytes if writer else 0) + group_bytes
        return int(coded * total / known + self.feed.file_bytes)
