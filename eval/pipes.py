"""What a benchmark prints into a pipe whose reader goes away, as ``| head`` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from nvcodec.cli.exits import PIPE_CLOSED


def until_closed(run: Callable[[], int]) -> int:
    """The exit code of ``run``, all that it printed being written; that of a closed pipe, quietly, where it was one."""
    try:
        try:
            return run()
        finally:  # argparse's help, too, which ends in an exception
            sys.stdout.flush()
    except BrokenPipeError:
        with suppress(OSError, ValueError, AttributeError):  # a stdout without a file, in tests
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # which Python flushes when it ends
        return PIPE_CLOSED
