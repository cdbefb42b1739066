"""Signals that end a training in good order: the step is finished and the state saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """Set by a signal; the second Ctrl-C ends the process as usual."""

    def __init__(self) -> None:
        self.asked = ""  # the signal's name

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Within, SIGINT, SIGTERM and SIGHUP set the Stop; ignored signals (nohup) stay ignored."""
    stop, before = Stop(), {}
    try:
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, stop)
    except ValueError:  # not the main thread: whoever runs this as a function handles signals
        pass
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
