"""What ends a training in good order, the step finished and the state saved: signals, or a part's time."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """Set by a signal, or after ``seconds`` (0 = never); the second Ctrl-C ends the process as usual."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._until = time.monotonic() + seconds if seconds else math.inf
        self._signal = ""

    @property
    def asked(self) -> str:
        """Why to stop: the signal's name, or that time is up; empty to go on."""
        return self._signal or ("time is up" if time.monotonic() >= self._until else "")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def stoppable(seconds: float = 0.0) -> Iterator[Stop]:
    """Within, ``seconds`` from now or SIGINT, SIGTERM and SIGHUP set the Stop; ignored signals (nohup) stay ignored."""
    stop, before = Stop(seconds), {}
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
