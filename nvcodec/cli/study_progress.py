"""Shows how far a study has come: a line for each point, below them a bar on a terminal; objects for ``--json``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from nvcodec.cli.messages import Messages, one_line
from nvcodec.cli.units import format_duration
from nvcodec.study.rows import Row

if TYPE_CHECKING:
    from nvcodec.study.estimate import Remaining
    from nvcodec.study.runner import Event


@contextmanager
def shown(messages: Messages, remaining: Remaining, total: int) -> Iterator[Callable[[Event], None]]:
    """A callback for `run_study`, in the form that the streams and options ask for."""
    left = len(remaining.points)
    if not left or messages.json or messages.quiet or not messages.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda event: _take(event, remaining, messages)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[eta]}"),
    )
    console = messages.console(messages.stderr)
    with Progress(*columns, console=console, transient=True, expand=True, redirect_stdout=False) as bar:
        task = bar.add_task(_next(remaining), total=total, completed=total - left, eta=_left(remaining))

        def report(event: Event) -> None:
            _take(event, remaining, messages)
            bar.update(task, description=_next(remaining), completed=event.done, eta=_left(remaining))

        yield report


def _take(event: Event, remaining: Remaining, messages: Messages) -> None:
    remaining.take(event.row, event.seconds)
    row = event.row
    fields = {name: value for name, value in row.as_dict().items() if name not in ("per_frame", "groups")}
    seconds_left = round(remaining.seconds())
    messages.object("point", {**fields, "done": event.done, "total": event.total, "seconds_left": seconds_left})
    if row.error:
        messages.warning(f"{row.clip} {row.label} {row.rate}: {row.error}")
    else:
        messages.note(f"{event.done}/{event.total}  {described(row)}; {_left(remaining)}")
        if row.notes:
            messages.warning(f"{row.clip} {row.label} {row.rate}: {row.notes}")


def described(row: Row) -> str:
    """A finished point in one line."""
    quality = "" if row.psnr_yuv is None else f", {row.psnr_yuv:.2f} dB"
    took = format_duration(row.encode_seconds or 0)
    return one_line(f"{row.clip} {row.label} {row.rate}: {row.bpp:.4f} bpp{quality}, encoded in {took}")


def _next(remaining: Remaining) -> str:
    """The point that runs: the first of those that have not ended."""
    point = next(iter(remaining.points.values()), None)
    return "" if point is None else f"{point.clip.name[:24]} {point.label} {point.rate}"


def _left(remaining: Remaining) -> str:
    seconds = remaining.seconds()
    return f"about {format_duration(seconds)} left" if remaining.points else "done"
