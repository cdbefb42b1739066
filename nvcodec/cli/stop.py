"""Signals that end a call in good order, as Ctrl-C does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")


class Terminated(KeyboardInterrupt):
    """A signal asked to end. Of KeyboardInterrupt's kind, so that whoever tidies up after that one does so here."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise :class:`Terminated`; ignored signals (nohup) stay ignored."""
    before = {}
    try:
        for name in _ENDING:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, _raise)
    except ValueError:  # not the main thread: someone calls main() as a function and handles signals
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
