"""Shows how far a call has come: a bar on a terminal, now and then a line elsewhere, objects for ``--json``."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from nvcodec.api.settings import OnProgress, Progress
from nvcodec.cli.messages import Messages, write_line
from nvcodec.cli.units import format_duration, format_rate, format_size

LINE_EVERY = 10.0  # seconds between lines
OBJECT_EVERY = 1.0  # seconds between objects


class Meter:
    """Speed and time left; for a resumed call from the first report on, because what was found done took no time."""

    def __init__(self, resumed: bool = False) -> None:
        self._first: Progress | None = None if resumed else Progress(0, None)

    def measure(self, now: Progress) -> tuple[float | None, float | None]:
        """(frames a second, seconds left), None where unknown."""
        first = self._first = self._first or now
        frames, seconds = now.frames_done - first.frames_done, now.seconds - first.seconds
        if frames <= 0 or seconds <= 0:
            return None, None
        fps = frames / seconds
        left = None if now.frames_total is None else max(0, now.frames_total - now.frames_done) / fps
        return fps, left


def facts(now: Progress, fps: float | None, left: float | None) -> list[str]:
    """What there is to say beside frames, in order of interest."""
    out = []
    if fps is not None:
        out.append(format_rate(fps))
    if now.psnr is not None and math.isfinite(now.psnr):
        out.append(f"{now.psnr:.2f} dB")
    if now.predicted_bytes:
        out.append(f"about {format_size(now.predicted_bytes)}")
    elif now.bytes_written:
        out.append(format_size(now.bytes_written))
    if left:
        out.append(f"{format_duration(left)} left")
    return out


def line(verb: str, now: Progress, fps: float | None, left: float | None) -> str:
    """One report as a line of text."""
    frames = f"{now.frames_done}" if now.frames_total is None else f"{now.frames_done}/{now.frames_total}"
    share = "" if now.fraction is None else f"{math.floor(100 * now.fraction)}%, "
    return f"{verb}: {share}{frames} frames, {', '.join(facts(now, fps, left))}".rstrip(", ")


def described(now: Progress, fps: float | None, left: float | None) -> dict[str, Any]:
    """One report as the fields of a JSON object; unknown numbers are null."""
    return {
        "frames_done": now.frames_done, "frames_total": now.frames_total, "fraction": now.fraction,
        "group": now.group, "group_progress": now.group_progress, "step": now.step, "psnr": now.psnr,
        "bytes_written": now.bytes_written, "predicted_bytes": now.predicted_bytes,
        "seconds": now.seconds, "fps": fps, "seconds_left": left,
    }  # fmt: skip


class _Every:
    """True when some seconds have passed, when a group was finished, and at the end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last, self._group, self._done = time.monotonic(), 0, -1

    def due(self, now: Progress) -> bool:
        clock = time.monotonic()
        moved, passed = now.frames_done != self._done, clock - self._last
        grown = now.group != self._group and passed >= self._seconds / 10
        ended = now.frames_total is not None and now.frames_done >= now.frames_total and moved
        if not (grown or ended or passed >= self._seconds):
            return False
        self._last, self._group, self._done = clock, now.group, now.frames_done
        return True


class _Frames(ProgressColumn):
    """Frames done and, where known, of how many."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{task.completed:.0f}")
        return Text(f"{math.floor(100 * task.completed / task.total):3}%  {task.completed:.0f}/{task.total:.0f}")


@contextmanager
def shown(messages: Messages, verb: str, resumed: bool = False) -> Iterator[OnProgress | None]:
    """A callback for the API while something runs, in the form that the streams and options ask for."""
    if messages.json:
        yield _objects(messages, Meter(resumed))
    elif messages.quiet:
        yield None
    elif messages.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(messages, verb, Meter(resumed)) as callback:
            yield callback
    else:
        yield _lines(messages, verb, Meter(resumed))


def _objects(messages: Messages, meter: Meter) -> OnProgress:
    every = _Every(OBJECT_EVERY)

    def report(now: Progress) -> None:
        measured = meter.measure(now)
        if every.due(now):
            messages.object("progress", described(now, *measured))

    return report


def _lines(messages: Messages, verb: str, meter: Meter) -> OnProgress:
    every = _Every(LINE_EVERY)

    def report(now: Progress) -> None:
        measured = meter.measure(now)
        if every.due(now):
            write_line(messages.stderr, line(verb, now, *measured))

    return report


@contextmanager
def _bar(messages: Messages, verb: str, meter: Meter) -> Iterator[OnProgress]:
    whole = Column(no_wrap=True)  # the bar gives way, not the numbers
    columns = (
        TextColumn("{task.description}"),
        BarColumn(None),
        _Frames(whole),
        TextColumn("{task.fields[facts]}", table_column=whole.copy()),
    )
    # stdout may be a pipe that carries the result: the bar must not put itself before it
    bar = RichProgress(
        *columns,
        console=messages.console(messages.stderr),
        transient=True,
        expand=True,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task(verb, total=None, facts="")

        def report(now: Progress) -> None:
            text = "  ".join(facts(now, *meter.measure(now))).replace("about ", "~")
            bar.update(task, completed=now.frames_done, total=now.frames_total, facts=text)

        yield report
