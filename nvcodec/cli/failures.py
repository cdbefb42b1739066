"""Every way a command can end badly: one line on stderr and an exit code; tracebacks only on request."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress

from nvcodec.cli.exits import INTERRUPTED, PIPE_CLOSED
from nvcodec.cli.messages import Messages, one_line
from nvcodec.cli.stop import Terminated
from nvcodec.errors import NvcodecError, OutputError

DEBUG = "NVCODEC_DEBUG"


def report(error: BaseException, messages: Messages) -> int:
    """Says what went wrong and returns the exit code. Notes added to the error follow on the same line."""
    if _pipe_closed(error):
        _forget_stdout()
        return PIPE_CLOSED
    if messages.verbose or os.environ.get(DEBUG):
        traceback.print_exception(error, file=messages.stderr)
    kind, text, code = _judge(error)
    notes = getattr(error, "__notes__", [])
    try:
        messages.error("; ".join([text, *notes]), kind, code)
    except BrokenPipeError:
        _forget_stdout()
    return code


def _judge(error: BaseException) -> tuple[str, str, int]:
    """(name, line, exit code) of an error."""
    name = type(error).__name__
    if isinstance(error, NvcodecError):
        return name, str(error), error.exit_code
    if isinstance(error, Terminated):
        return name, f"stopped by {error}", error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted", "stopped by Ctrl-C", INTERRUPTED
    if isinstance(error, MemoryError) or "OutOfMemory" in name:
        return name, "out of memory", 1
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return name, "the disk is full", OutputError.exit_code
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return name, f"{where}{error.strerror}", 1
    text = one_line(str(error))[:300]
    hint = f"this is a bug; -v or {DEBUG}=1 shows where"
    return name, f"unexpected {name}{': ' * bool(text)}{text} ({hint})", 1


def _pipe_closed(error: BaseException) -> bool:
    """The reader of a pipe has gone, said by the system or, wrapped, by the video writer."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, BrokenPipeError):
            return True
        link = link.__cause__
    return type(error).__name__ == "PipeClosedError"


def _forget_stdout() -> None:
    """Python flushes stdout at exit; into a closed pipe, that would print a complaint."""
    with suppress(OSError, ValueError, AttributeError):  # a stdout without a file, in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
