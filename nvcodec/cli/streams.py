"""What ``-`` may stand for: a pipe, never a terminal, and never the stream that another output needs."""

from __future__ import annotations

import sys

from nvcodec.cli.messages import Messages
from nvcodec.errors import UsageError

PIPE = "-"


def check_stdin(source: str, hint: str) -> None:
    """Raise :class:`UsageError` instead of waiting for someone to type a video."""
    if source == PIPE and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError(f"standard input is a terminal; pipe into it: {hint}")


def check_stdout(target: str, hint: str, messages: Messages) -> None:
    """Raise :class:`UsageError` where a result on stdout would fill a terminal or run into JSON."""
    if target != PIPE:
        return
    if messages.json:
        raise UsageError("--json writes to standard output, as does the result: name a file for one of them")
    if messages.stdout.isatty():
        raise UsageError(f"standard output is a terminal; pipe it on: {hint}")


def shown_name(name: str, pipe: str) -> str:
    """A path, or what ``-`` stands for."""
    return pipe if name == PIPE else name


def check_file(name: str, command: str) -> None:
    """Raise :class:`UsageError` for a pipe where a file is needed, because it is read from more than one place."""
    if name == PIPE:
        raise UsageError(f"{command} needs a file, not a pipe")
