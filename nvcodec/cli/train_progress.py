"""Shows how far a training has come: a bar on a terminal, now and then a line elsewhere, objects for ``--json``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from nvcodec.cli.messages import Messages, write_line
from nvcodec.cli.progress import LINE_EVERY, OBJECT_EVERY
from nvcodec.cli.units import format_duration
from nvcodec.training.log import validation_line

Row = dict[str, Any]
Report = Callable[[str, Row], None]


class Pace:
    """Time left, by what this call did: parts before it may have run elsewhere."""

    def __init__(self) -> None:
        self._seconds, self._progress = 0.0, 0.0

    def start(self, row: Row) -> None:
        self._seconds, self._progress = row["seconds"], row["progress"]

    def left(self, row: Row) -> float | None:
        """Seconds of training until the plan is done, None where unknown."""
        seconds, progress = row["seconds"] - self._seconds, row["progress"] - self._progress
        return seconds / progress * (1 - row["progress"]) if seconds > 0 and progress > 0 else None


def facts(row: Row, left: float | None) -> str:
    """What there is to say beside the share that is done."""
    said = f"step {row['step']}, loss {row['loss']:.4f}, {row['bpp']:.3f} bpp, mse {row['mse']:.1f}"
    return said if left is None else f"{said}, {format_duration(left)} left"


@contextmanager
def shown(messages: Messages) -> Iterator[Report]:
    """A callback for `run_training`, in the form that the streams and options ask for."""
    pace = Pace()
    if messages.json:
        yield _events(pace, messages, _objects(messages, pace), messages.note)
    elif messages.quiet or not messages.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _events(pace, messages, _lines(messages, pace), messages.note)
    else:
        with _bar(messages) as bar:
            yield _events(pace, messages, _moved(bar, pace), lambda text: bar.console.print(text, soft_wrap=True))


def _events(pace: Pace, messages: Messages, step: Callable[[Row], None], note: Callable[[str], None]) -> Report:
    def report(kind: str, row: Row) -> None:
        if kind == "start":
            pace.start(row)
            messages.object("start", row)
            if row["step"]:
                note(f"going on from step {row['step']}, {100 * row['progress']:.1f}% of the plan")
            if row["grown"]:
                note(f"the model has grown since the checkpoint: {', '.join(row['grown'])}")
        elif kind == "validation":
            messages.object("validation", row)
            for each in row["rows"]:
                note(f"step {row['step']}, {validation_line(each)}")
        else:
            step(row)

    return report


def _objects(messages: Messages, pace: Pace) -> Callable[[Row], None]:
    due = _every(OBJECT_EVERY)

    def step(row: Row) -> None:
        if due():
            fields = {name: value for name, value in row.items() if name != "progress"}
            messages.object("progress", {**fields, "fraction": row["progress"], "seconds_left": pace.left(row)})

    return step


def _lines(messages: Messages, pace: Pace) -> Callable[[Row], None]:
    due = _every(LINE_EVERY)

    def step(row: Row) -> None:
        if not messages.quiet and due():
            write_line(messages.stderr, f"train: {100 * row['progress']:.1f}%, {facts(row, pace.left(row))}")

    return step


def _moved(bar: Progress, pace: Pace) -> Callable[[Row], None]:
    task = bar.add_task("train", total=1.0, facts="")

    def step(row: Row) -> None:
        bar.update(task, completed=row["progress"], facts=facts(row, pace.left(row)))

    return step


def _every(seconds: float) -> Callable[[], bool]:
    """True at first, and when so much time has passed since it was last."""
    last = -seconds

    def due() -> bool:
        nonlocal last
        clock = time.monotonic()
        if clock - last < seconds:
            return False
        last = clock
        return True

    return due


def _bar(messages: Messages) -> Progress:
    whole = Column(no_wrap=True)  # the bar gives way, not the numbers
    columns = (
        TextColumn("{task.description}"),
        BarColumn(None),
        TextColumn("{task.percentage:5.1f}%", table_column=whole),
        TextColumn("{task.fields[facts]}", table_column=whole.copy()),
    )
    console = messages.console(messages.stderr)
    return Progress(
        *columns, console=console, transient=True, expand=True, redirect_stdout=False, redirect_stderr=False
    )
